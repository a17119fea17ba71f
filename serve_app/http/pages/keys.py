"""The dashboard's keys page: sign in with a key of scope 'all', then list, create, rotate and revoke keys."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.errors import RecruitScreenError, WrongScope
from serve_app.http.body_limit import allow
from serve_app.http.deps import Services, client_address
from serve_app.http.pages.sessions import COOKIE, LIFETIME_S, Sessions
from serve_app.http.pages.templates import render
from serve_app.jobs import queries as jobs
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES, ApiKey
from serve_app.keys.service import IssuedKey, KeyTerms
from serve_app.storage.text import Storable

router = APIRouter(prefix="/dashboard/keys", include_in_schema=False)

MAX_FORM_BYTES = 16 * 1024
SIGN_INS_PER_ADDRESS = "20/minute"
OVERLAP_S = 24 * 3600
"""How long a rotated key keeps working."""
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}


class SignedOut(Exception):
    """No session, or its key is no longer live."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in session: its key, and the token its forms carry."""

    key: ApiKey
    form_token: str


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


async def read_form(request: Request) -> dict[str, str]:
    """The text fields of a form, without empty ones."""
    allow(request, MAX_FORM_BYTES)
    async with request.form(max_files=0, max_fields=10, max_part_size=4096) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}


FormFields = Annotated[dict[str, str], Depends(read_form)]


async def get_visitor(request: Request, services: Services) -> Visitor:
    """The signed-in visitor. Raises `SignedOut`."""
    sessions: Sessions = request.app.state.sessions
    cookie = request.cookies.get(COOKIE, "")
    key_id = sessions.key_id(cookie)
    async with services.database.transaction() as session:
        key = key_id and await keys.get_live_key(session, key_id)
    if not key or not key.opens_all:
        raise SignedOut
    return Visitor(key, sessions.form_token(cookie))


async def get_form_sender(
    request: Request, fields: FormFields, visitor: Annotated[Visitor, Depends(get_visitor)]
) -> Visitor:
    """The signed-in visitor, whose form came from our page. Raises `SignedOut` and `Invalid`."""
    sessions: Sessions = request.app.state.sessions
    sessions.check_form(request.cookies.get(COOKIE, ""), fields.get("form_token", ""))
    return visitor


CurrentVisitor = Annotated[Visitor, Depends(get_visitor)]
FormSender = Annotated[Visitor, Depends(get_form_sender)]


@router.get("")
async def show_keys(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """Credits and keys."""
    async with services.database.transaction() as session:
        return await _keys_page(session, services, visitor)


@router.post("/sign-in")
async def sign_in(request: Request, services: Services, fields: FormFields) -> Response:
    """Exchange a key for a session. The key itself is not kept."""
    await services.limiter.hit("sign-in", SIGN_INS_PER_ADDRESS, client_address(request, services.settings))
    try:
        async with services.database.transaction() as session:
            key = await keys.verify(session, fields.get("api_key", ""))
        if not key.opens_all:
            raise WrongScope("Only a key with scope 'all' can manage keys. Sign in with such a key.")
    except RecruitScreenError as error:
        return sign_in_page(error.message, error.status)
    answer = _to_keys_page()
    answer.set_cookie(
        COOKIE, request.app.state.sessions.issue(key.id), LIFETIME_S, path="/dashboard", httponly=True,
        samesite="strict", secure=urlsplit(services.settings.public_url).scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/sign-out")
async def sign_out(_: FormSender) -> Response:
    """End the session in this browser."""
    answer = _to_keys_page()
    answer.delete_cookie(COOKIE, path="/dashboard", httponly=True, samesite="strict")
    return answer


@router.post("/create")
async def create_key(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Create a key and show its secret, once."""
    try:
        form = NewKeyForm.model_validate(fields)
        services.catalog.check_scope(form.scope)
    except ValidationError as error:
        first = error.errors()[0]
        return await _refusal(services, visitor, f"{first['loc'][0]}: {first['msg']}")
    except RecruitScreenError as error:
        return await _refusal(services, visitor, error.message)
    async with services.database.transaction() as session:
        issued = await keys.issue(session, visitor.key.account_id, form.terms())
        return await _keys_page(session, services, visitor, _secret_once(issued))


@router.post("/{key_id}/rotate")
async def rotate_key(visitor: FormSender, services: Services, key_id: str) -> HTMLResponse:
    """Replace a key and show the new secret, once. The old key works for another day."""
    async with services.database.transaction() as session:
        issued = await keys.rotate(session, visitor.key.account_id, key_id, OVERLAP_S)
        return await _keys_page(session, services, visitor, _secret_once(issued))


@router.post("/{key_id}/revoke")
async def revoke_key(visitor: FormSender, services: Services, key_id: str) -> Response:
    """End a key now."""
    async with services.database.transaction() as session:
        await keys.revoke(session, visitor.key.account_id, key_id)
    return _to_keys_page()


def sign_in_page(message: str = "", status: int = 200) -> HTMLResponse:
    """The page that asks for a key."""
    return render("sign_in.html", {"message": message}, status=status, headers=PRIVATE)


async def _refusal(services: Services, visitor: Visitor, message: str) -> HTMLResponse:
    async with services.database.transaction() as session:
        return await _keys_page(session, services, visitor, message, 422)


async def _keys_page(
    session: AsyncSession, services: Services, visitor: Visitor, message: str = "", status: int = 200
) -> HTMLResponse:
    account_id = visitor.key.account_id
    listed = await keys.list_keys(session, account_id)
    context = {
        "message": message,
        "form_token": visitor.form_token,
        "balance": await ledger.balance(session, account_id),
        "held": await jobs.held_credits(session, account_id),
        "keys": listed,
        "ended": {key.id for key in listed if _has_ended(key)},
        "scopes": services.catalog.scopes(),
    }
    return render("keys.html", context, status=status, headers=PRIVATE)


def _has_ended(key: ApiKey) -> bool:
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= datetime.now(UTC))


def _secret_once(issued: IssuedKey) -> str:
    return f"Copy your new key now. It is not shown again: {issued.secret}"


def _to_keys_page() -> RedirectResponse:
    return RedirectResponse("/dashboard/keys", 303, PRIVATE)
