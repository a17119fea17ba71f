"""Sending a scorecard on: as a file with chosen sections, or by a link that ends and can be revoked."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve_app.accounts.passwords import hash_password
from serve_app.errors import InvalidField
from serve_app.http.deps import Services, get_services
from serve_app.http.errors import message_of
from serve_app.http.pages.finished_interviews import ShownInterview
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.http.tokens import ShareTokens
from serve_app.jobs import sharing
from serve_app.jobs.models import Job
from serve_app.jobs.sharing import MAX_DAYS, ShareRequest
from serve_app.pipeline.scorecard.document import DEFAULT_SECTIONS, Section

router = APIRouter(prefix="/interviews/{job_id}", include_in_schema=False)

MIN_PASSCODE = 6
SECTION_NAMES = {
    Section.SUMMARY: "Recommendation and summary",
    Section.SCORES: "Scores with quotes",
    Section.HIGHLIGHTS: "Highlights",
    Section.RED_FLAGS: "Red flags",
    Section.QUESTIONS: "Questions for the next round",
    Section.SUBMITTAL_NOTE: "Note for the client",
    Section.REVIEWS: "What people say",
    Section.METRICS: "Talk metrics",
    Section.TRANSCRIPT: "Transcript",
}
SECTION = "section-"
"""Prefix of a form's fields that choose sections."""


FIELD_NAMES = {"sections": "Sections", "days": "Days until it ends", "passcode": "Passcode"}


class LinkForm(BaseModel):
    """The form of a new link."""

    model_config = ConfigDict(extra="ignore")

    sections: Annotated[list[Section], Field(min_length=1)]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)]
    hide_name: bool
    passcode: Annotated[str, Field(min_length=MIN_PASSCODE, max_length=100)] | None = None


def share_tokens(request: Request) -> ShareTokens:
    """Makes and reads the addresses of links."""
    tokens: ShareTokens = request.app.state.share_tokens
    return tokens


@router.get("/send")
async def show_sending(
    request: Request,
    visitor: CurrentVisitor,
    interview: ShownInterview,
    new: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """Ways to send a scorecard on, and the links that there are. The link `new` is marked."""
    return await _page(request, visitor, interview, new=new)


@router.post("/links")
async def create_link(
    request: Request, visitor: FormSender, services: Services, interview: ShownInterview, fields: FormFields
) -> Response:
    """Make a link and go on to its address."""
    try:
        form = _read(fields)
    except InvalidField as error:
        return await _page(request, visitor, interview, error)
    hashed = await hash_password(form.passcode) if form.passcode else None
    wanted = ShareRequest(form.sections, form.days, form.hide_name, hashed)
    async with services.database.transaction() as session:
        link = await sharing.create_link(session, visitor.actor, interview, wanted)
    return _to(interview, f"?new={link.id}")


@router.post("/links/{link_id}/revoke")
async def revoke_link(
    visitor: FormSender, services: Services, interview: ShownInterview, link_id: str
) -> RedirectResponse:
    """End a link now."""
    async with services.database.transaction() as session:
        await sharing.revoke_link(session, visitor.actor, interview, link_id)
    return _to(interview)


def _to(interview: Job, query: str = "") -> RedirectResponse:
    return RedirectResponse(f"/interviews/{interview.id}/send{query}", 303, PRIVATE)


def _read(fields: dict[str, str]) -> LinkForm:
    """The form that was sent. Raises `InvalidField`."""
    sections = [section for section in Section if f"{SECTION}{section}" in fields]
    try:
        return LinkForm.model_validate(fields | {"sections": sections, "hide_name": "hide_name" in fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        raise InvalidField(f"{FIELD_NAMES[field]}: {message_of(first)}.", field) from None


async def _page(
    request: Request, visitor: Visitor, interview: Job, problem: InvalidField | None = None, new: str = ""
) -> HTMLResponse:
    services = get_services(request)
    async with services.database.transaction() as session:
        links = await sharing.list_links(session, visitor.actor, interview)
        views = await sharing.list_views(session, links)
    base, tokens, now = services.settings.public_url.rstrip("/"), share_tokens(request), datetime.now(UTC)
    context: dict[str, Any] = {
        "visitor": visitor, "interview": interview, "message": problem.message if problem else "", "new": new,
        "links": links, "views": views, "addresses": {one.id: f"{base}/s/{tokens.issue(one.id)}" for one in links},
        "ended": {one.id for one in links if one.revoked_at or one.expires_at <= now},
        "sections": SECTION_NAMES, "default_sections": DEFAULT_SECTIONS, "section_prefix": SECTION,
        "max_days": MAX_DAYS, "min_passcode": MIN_PASSCODE,
    }  # fmt: skip
    status = problem.status if problem else 200
    return render("send.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)
