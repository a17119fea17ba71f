"""The page that erases one candidate everywhere: find by label, look, confirm."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from serve_app import services as app_services
from serve_app.errors import Invalid
from serve_app.http.deps import Services
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.jobs import erasure
from serve_app.jobs.models import MAX_LABEL
from serve_app.storage.text import Storable

router = APIRouter(prefix="/settings/erase", include_in_schema=False)


@router.get("")
async def show_candidate(
    visitor: CurrentVisitor, services: Services, candidate: Annotated[Storable, Query(max_length=MAX_LABEL)] = ""
) -> HTMLResponse:
    """The form, and what is stored of the candidate that it names."""
    return await _page(services, visitor, candidate.strip())


@router.post("")
async def erase_candidate(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Erase what is stored of a candidate, once the visitor has confirmed it."""
    candidate = fields.get("candidate", "")
    if "confirmed" not in fields:
        raise Invalid("Nothing was erased. Go back and tick the box that confirms it.")
    async with services.database.transaction() as session:
        count, blobs = await erasure.erase_candidate(session, visitor.actor, candidate)
    for blob in blobs:
        await services.blobs.delete(blob)
    return await _page(services, visitor, "", f"{count} interview{'s'[: count != 1]} erased.")


async def _page(services: app_services.Services, visitor: Visitor, candidate: str, message: str = "") -> HTMLResponse:
    async with services.database.transaction() as session:
        found = await erasure.find_candidate(session, visitor.actor, candidate)
    context = {"visitor": visitor, "candidate": candidate, "found": found, "message": message}
    return render("erase_candidate.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)
