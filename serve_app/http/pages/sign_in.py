"""Signing in by e-mail and password, with an API key or by a one-time link, and signing out."""

import re
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app import services as app_services
from serve_app.accounts import links, members, sessions
from serve_app.accounts.actors import Actor
from serve_app.accounts.models import LinkKind, OneTimeLink
from serve_app.accounts.passwords import MIN_LENGTH
from serve_app.accounts.secrets import digest
from serve_app.accounts.service import get_account
from serve_app.errors import Conflict, InvalidField, LinkNotFound, RecruitScreenError, WrongScope
from serve_app.http.deps import Services, client_address
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import COOKIE, HOME, FormFields, FormSender, PossibleVisitor
from serve_app.keys import service as keys

router = APIRouter(include_in_schema=False)

SIGN_INS_PER_ADDRESS = "20/minute"
SIGN_INS_PER_EMAIL = "10 per 10 minute"
OWN_PATH = re.compile(r"/[\w-]+(/[\w-]+)*")


@router.get("/sign-in")
async def show_sign_in(visitor: PossibleVisitor) -> Response:
    """The page that asks for e-mail and password, or a key."""
    return _to(HOME) if visitor else sign_in_page()


@router.post("/sign-in")
async def sign_in(request: Request, services: Services, fields: FormFields) -> Response:
    """Begin a session, and go on to the page that was asked for. Neither password nor key is kept."""
    await services.limiter.hit("sign-in", SIGN_INS_PER_ADDRESS, client_address(request, services.settings))
    page = fields.get("next", HOME)
    try:
        actor = await _identify(services, fields)
    except RecruitScreenError as error:
        return sign_in_page(error.message, error.status, page, fields.get("email", ""))
    return await _begin(request, services, actor, page if OWN_PATH.fullmatch(page) else HOME)


@router.post("/sign-out")
async def sign_out(visitor: FormSender, services: Services) -> Response:
    """End the session."""
    async with services.database.transaction() as session:
        await sessions.end(session, visitor.actor, visitor.session_id)
    answer = _to("/sign-in")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


@router.get("/links/{secret}")
async def show_link(services: Services, secret: str) -> HTMLResponse:
    """What a one-time link is for. Opening it does not use it up: programs that check mails open links, too."""
    try:
        async with services.database.transaction() as session:
            link = await links.find(session, secret)
    except LinkNotFound as error:
        return sign_in_page(error.message, error.status)
    return await _link_page(services, link)


@router.post("/links/{secret}")
async def use_link(request: Request, services: Services, secret: str, fields: FormFields) -> Response:
    """Use a link up, and begin a session."""
    await services.limiter.hit("sign-in", SIGN_INS_PER_ADDRESS, client_address(request, services.settings))
    try:
        async with services.database.transaction() as session:
            link = await links.find(session, secret)
        actor = await _use(services, link, secret, fields.get("password", ""))
    except (LinkNotFound, Conflict) as error:
        return sign_in_page(error.message, error.status)
    except InvalidField as error:
        return await _link_page(services, link, error.message, error.status)
    return await _begin(request, services, actor, HOME)


def sign_in_page(message: str = "", status: int = 200, page: str = HOME, email: str = "") -> HTMLResponse:
    """The page that asks for e-mail and password, or a key. `page` is opened afterwards."""
    context = {"message": message, "next": page, "email": email}
    return render("sign_in.html", context, status=status, headers=PRIVATE)


def ask_to_sign_in(request: Request, _: Exception) -> HTMLResponse:
    """The answer to a visitor who is not signed in. A form or a script that sends something gets 401: it was lost."""
    if request.method == "GET":
        return sign_in_page(page=request.url.path)
    return sign_in_page("Your session has ended, and nothing was saved. Sign in and send it again.", 401)


async def _identify(services: app_services.Services, fields: dict[str, str]) -> Actor:
    """Who signs in. Raises `SignInFailed`, `Unauthorized`, `WrongScope` and `RateLimited`."""
    if "email" in fields:
        email = fields["email"].strip().lower()
        await services.limiter.hit("sign-in-email", SIGN_INS_PER_EMAIL, digest(email))
        return (await members.sign_in(services.database, email, fields.get("password", ""))).actor
    async with services.database.transaction() as session:
        key = await keys.verify(session, fields.get("api_key", ""))
    if not key.opens_all:
        raise WrongScope("Only a key with scope 'all' opens these pages. Sign in with such a key.")
    return key.actor


async def _use(services: app_services.Services, link: OneTimeLink, secret: str, password: str) -> Actor:
    if link.kind is LinkKind.INVITATION:
        return (await links.accept_invitation(services.database, secret, password)).actor
    if link.kind is LinkKind.RESET:
        return (await links.reset_password(services.database, secret, password)).actor
    async with services.database.transaction() as session:
        return (await links.sign_in(session, secret)).actor


async def _begin(request: Request, services: app_services.Services, actor: Actor, page: str) -> Response:
    async with services.database.transaction() as session:
        new = await sessions.begin(session, actor, request.headers.get("user-agent", ""))
    answer = _to(page)
    answer.set_cookie(
        COOKIE, new.secret, new.lifetime_s, httponly=True,
        samesite="lax", secure=urlsplit(services.settings.public_url).scheme == "https",
    )  # fmt: skip
    return answer


async def _link_page(
    services: app_services.Services, link: OneTimeLink, message: str = "", status: int = 200
) -> HTMLResponse:
    async with services.database.transaction() as session:
        account = await get_account(session, link.account_id)
    context = {"link": link, "account": account, "message": message, "min_length": MIN_LENGTH}
    return render("link.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)


def _to(page: str) -> RedirectResponse:
    return RedirectResponse(page, 303, PRIVATE)
