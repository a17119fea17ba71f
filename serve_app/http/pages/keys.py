"""The keys page: list, create, rotate and revoke an account's keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.errors import RecruitScreenError
from serve_app.http.deps import Services
from serve_app.http.errors import message_of
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.jobs import queries as jobs
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES, ApiKey
from serve_app.keys.service import KeyTerms
from serve_app.storage.text import Storable

router = APIRouter(prefix="/dashboard/keys", include_in_schema=False)

OVERLAP_S = 24 * 3600
"""How long a rotated key keeps working."""


class NewKeyForm(BaseModel):
    """The form of a new key."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: Annotated[Storable, Field(max_length=200)] = ""
    scope: str = ALL_SCOPES
    days: Annotated[int, Field(gt=0, le=3650)] | None = None
    monthly_cap: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None

    def terms(self) -> KeyTerms:
        """The terms of the key to create."""
        expires_at = datetime.now(UTC) + timedelta(days=self.days) if self.days else None
        return KeyTerms(self.scope, self.name, expires_at, self.monthly_cap)


@router.get("")
async def show_keys(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """Credits and keys."""
    async with services.database.transaction() as session:
        return await _keys_page(session, services, visitor)


@router.post("/create")
async def create_key(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Create a key and show its secret, once."""
    try:
        form = NewKeyForm.model_validate(fields)
        services.catalog.check_scope(form.scope)
    except ValidationError as error:
        first = error.errors()[0]
        return await _refusal(services, visitor, f"{first['loc'][0]}: {message_of(first)}.")
    except RecruitScreenError as error:
        return await _refusal(services, visitor, error.message)
    async with services.database.transaction() as session:
        issued = await keys.issue(session, visitor.actor, form.terms())
        return await _keys_page(session, services, visitor, secret=issued.secret)


@router.post("/{key_id}/rotate")
async def rotate_key(visitor: FormSender, services: Services, key_id: str) -> HTMLResponse:
    """Replace a key and show the new secret, once. The old key works for another day."""
    async with services.database.transaction() as session:
        issued = await keys.rotate(session, visitor.actor, key_id, OVERLAP_S)
        return await _keys_page(session, services, visitor, secret=issued.secret)


@router.post("/{key_id}/revoke")
async def revoke_key(visitor: FormSender, services: Services, key_id: str) -> Response:
    """End a key now."""
    async with services.database.transaction() as session:
        await keys.revoke(session, visitor.actor, key_id)
    return _to_keys_page()


async def _refusal(services: Services, visitor: Visitor, message: str) -> HTMLResponse:
    async with services.database.transaction() as session:
        return await _keys_page(session, services, visitor, message)


async def _keys_page(
    session: AsyncSession, services: Services, visitor: Visitor, message: str = "", *, secret: str = ""
) -> HTMLResponse:
    account_id = visitor.account_id
    listed = await keys.list_keys(session, visitor.actor)
    context = {
        "visitor": visitor,
        "message": message,
        "secret": secret,
        "balance": await ledger.balance(session, account_id),
        "held": await jobs.held_credits(session, account_id),
        "keys": listed,
        "ended": {key.id for key in listed if _has_ended(key)},
        "scopes": services.catalog.scopes(),
    }
    return render("keys.html", context, status=422 if message else 200, policy=SCRIPT_POLICY, headers=PRIVATE)


def _has_ended(key: ApiKey) -> bool:
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= datetime.now(UTC))


def _to_keys_page() -> RedirectResponse:
    return RedirectResponse("/dashboard/keys", 303, PRIVATE)
