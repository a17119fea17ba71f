"""The dashboard where keys are made: sign in with a key for all products, then list, create, rotate and revoke."""

import html
from collections.abc import Mapping
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
from serve_app.http.pages.templates import page
from serve_app.jobs import queries as jobs
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES, ApiKey
from serve_app.keys.service import IssuedKey, KeyTerms
from serve_app.storage.text import Storable

router = APIRouter(prefix="/dashboard/keys", include_in_schema=False)

SIGN_IN, KEYS = page("sign_in"), page("keys")
LARGEST_FORM = 16 * 1024
ATTEMPTS = "20/minute"
"""Sign-ins one address may try."""
GUARDED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class SignedOut(Exception):
    """No session, or one whose key is no longer live."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in: their key, and the token their forms carry."""

    key: ApiKey
    form_token: str


class Wanted(BaseModel):
    """The form of a new key."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: Annotated[Storable, Field(max_length=200)] = ""
    scope: str = ALL_SCOPES
    days: Annotated[int, Field(gt=0, le=3650)] | None = None
    monthly_cap: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None


async def fields_of(request: Request) -> dict[str, str]:
    """The texts of a form; empty ones are left out."""
    allow(request, LARGEST_FORM)
    async with request.form(max_files=0, max_fields=10, max_part_size=4096) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}


Fields = Annotated[dict[str, str], Depends(fields_of)]


async def visitor(request: Request, services: Services) -> Visitor:
    """Who is signed in. Raises `SignedOut`."""
    sessions: Sessions = request.app.state.sessions
    cookie = request.cookies.get(COOKIE, "")
    key_id = sessions.key_id(cookie)
    async with services.database.transaction() as session:
        key = key_id and await keys.live(session, key_id)
    if not key or not key.opens_all:
        raise SignedOut
    return Visitor(key, sessions.form_token(cookie))


async def acting(request: Request, fields: Fields, signed_in: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """Who is signed in and sent this form from our page. Raises `SignedOut` and `Invalid`."""
    sessions: Sessions = request.app.state.sessions
    sessions.check_form(request.cookies.get(COOKIE, ""), fields.get("form_token", ""))
    return signed_in


Present = Annotated[Visitor, Depends(visitor)]
Acting = Annotated[Visitor, Depends(acting)]


@router.get("")
async def overview(signed_in: Present, services: Services) -> HTMLResponse:
    """Credits and keys."""
    async with services.database.transaction() as session:
        return await _page(session, services, signed_in)


@router.post("/sign-in")
async def sign_in(request: Request, services: Services, fields: Fields) -> Response:
    """Exchange a key for a session; the key itself is not kept."""
    await services.limiter.hit("sign-in", ATTEMPTS, client_address(request, services.settings))
    try:
        async with services.database.transaction() as session:
            key = await keys.verify(session, fields.get("api_key", ""))
        if not key.opens_all:
            raise WrongScope("Only a key with scope 'all' may manage keys.")
    except RecruitScreenError as refusal:
        return signed_out(refusal.message, refusal.status)
    answer = RedirectResponse("/dashboard/keys", 303, GUARDED)
    answer.set_cookie(
        COOKIE, request.app.state.sessions.issue(key.id), LIFETIME_S, path="/dashboard", httponly=True,
        samesite="strict", secure=urlsplit(services.settings.public_url).scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/sign-out")
async def sign_out(_: Acting) -> Response:
    """End the session in this browser."""
    answer = RedirectResponse("/dashboard/keys", 303, GUARDED)
    answer.delete_cookie(COOKIE, path="/dashboard", httponly=True, samesite="strict")
    return answer


@router.post("/create")
async def create(signed_in: Acting, services: Services, fields: Fields) -> HTMLResponse:
    """Make a key and show it, this once."""
    try:
        wanted = Wanted.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        return await _refused(services, signed_in, f"{first['loc'][0]}: {first['msg']}")
    if wanted.scope not in {ALL_SCOPES, *(spec.slug for spec in services.catalog)}:
        return await _refused(services, signed_in, "scope: choose a product or all of them")
    expires_at = datetime.now(UTC) + timedelta(days=wanted.days) if wanted.days else None
    terms = KeyTerms(wanted.scope, wanted.name, expires_at, wanted.monthly_cap)
    async with services.database.transaction() as session:
        issued = await keys.issue(session, signed_in.key.account_id, terms)
        return await _page(session, services, signed_in, once(issued))


@router.post("/{key_id}/rotate")
async def rotate(signed_in: Acting, services: Services, key_id: str) -> HTMLResponse:
    """Replace a key and show the new one, this once; the old one works for a day more."""
    async with services.database.transaction() as session:
        issued = await keys.rotate(session, signed_in.key.account_id, key_id, 24 * 3600)
        return await _page(session, services, signed_in, once(issued))


@router.post("/{key_id}/revoke")
async def revoke(signed_in: Acting, services: Services, key_id: str) -> Response:
    """End a key now."""
    async with services.database.transaction() as session:
        await keys.revoke(session, signed_in.key.account_id, key_id)
    return RedirectResponse("/dashboard/keys", 303, GUARDED)


def signed_out(message: str = "", status: int = 200) -> HTMLResponse:
    """The page that asks for a key."""
    return HTMLResponse(_filled(SIGN_IN, {"message": message}), status, GUARDED)


async def _refused(services: Services, signed_in: Visitor, message: str) -> HTMLResponse:
    async with services.database.transaction() as session:
        return await _page(session, services, signed_in, message, 422)


def once(issued: IssuedKey) -> str:
    """The line that shows a new key."""
    return f"Copy your new key now, it is not shown again: {issued.secret}"


async def _page(
    session: AsyncSession, services: Services, signed_in: Visitor, message: str = "", status: int = 200
) -> HTMLResponse:
    account_id = signed_in.key.account_id
    texts = {
        "message": message,
        "form_token": signed_in.form_token,
        "balance": str(await ledger.balance(session, account_id)),
        "held": str(await jobs.held_credits(session, account_id)),
    }
    rows = "".join(_row(key, signed_in) for key in await keys.listed(session, account_id))
    options = "".join(f"<option>{html.escape(spec.slug)}</option>" for spec in services.catalog)
    filled = _filled(KEYS, texts).replace("{options}", options).replace("{rows}", rows)
    return HTMLResponse(filled, status, GUARDED)


def _row(key: ApiKey, signed_in: Visitor) -> str:
    ended = key.revoked_at or (key.expires_at if key.expires_at and key.expires_at <= datetime.now(UTC) else None)
    dates = [f"{at:%Y-%m-%d %H:%M}" if at else "–" for at in (key.created_at, key.last_used_at, key.expires_at)]
    cells = (f"{key.prefix}…", key.name, key.scope, str(key.monthly_cap or "–"), *dates)
    actions = "ended" if ended else "".join(_button(key, what, signed_in) for what in ("rotate", "revoke"))
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + f"<td>{actions}</td></tr>"


def _button(key: ApiKey, what: str, signed_in: Visitor) -> str:
    token = f'<input type="hidden" name="form_token" value="{html.escape(signed_in.form_token)}">'
    return f'<form method="post" action="/dashboard/keys/{key.id}/{what}">{token}<button>{what}</button></form>'


def _filled(template: str, texts: Mapping[str, str]) -> str:
    for name, text in texts.items():
        template = template.replace(f"{{{name}}}", html.escape(text))
    return template
