"""Who looks at a page: signing in with a key of scope 'all', and the visitor behind a request."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app.errors import RecruitScreenError, WrongScope
from serve_app.http.body_limit import allow
from serve_app.http.deps import Services, client_address
from serve_app.http.pages.sessions import COOKIE, LIFETIME_S, Sessions
from serve_app.http.pages.templates import PRIVATE, render
from serve_app.keys import service as keys
from serve_app.keys.models import ApiKey

router = APIRouter(include_in_schema=False)

MAX_FORM_BYTES = 16 * 1024
SIGN_INS_PER_ADDRESS = "20/minute"
HOME = "/interviews"
OWN_PATH = re.compile(r"/[\w-]+(/[\w-]+)*")


class SignedOut(Exception):
    """No session, or its key is no longer live."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in session: its key, and the token its forms carry."""

    key: ApiKey
    form_token: str

    @property
    def account_id(self) -> str:
        """The account whose pages are shown."""
        return self.key.account_id


async def read_form(request: Request) -> dict[str, str]:
    """The text fields of a form, without empty ones."""
    allow(request, MAX_FORM_BYTES)
    async with request.form(max_files=0, max_fields=10, max_part_size=4096) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}


FormFields = Annotated[dict[str, str], Depends(read_form)]


async def find_visitor(request: Request, services: Services) -> Visitor | None:
    """The signed-in visitor, or None."""
    sessions: Sessions = request.app.state.sessions
    cookie = request.cookies.get(COOKIE, "")
    key_id = sessions.key_id(cookie)
    if not key_id:
        return None
    async with services.database.transaction() as session:
        key = await keys.get_live_key(session, key_id)
    return Visitor(key, sessions.form_token(cookie)) if key and key.opens_all else None


PossibleVisitor = Annotated[Visitor | None, Depends(find_visitor)]


async def get_visitor(visitor: PossibleVisitor) -> Visitor:
    """The signed-in visitor. Raises `SignedOut`."""
    if visitor is None:
        raise SignedOut
    return visitor


CurrentVisitor = Annotated[Visitor, Depends(get_visitor)]


async def get_form_sender(request: Request, fields: FormFields, visitor: CurrentVisitor) -> Visitor:
    """The signed-in visitor, whose form came from our page. Raises `SignedOut` and `Invalid`."""
    _sessions(request).check_form(request.cookies.get(COOKIE, ""), fields.get("form_token", ""))
    return visitor


FormSender = Annotated[Visitor, Depends(get_form_sender)]


async def get_script_sender(
    request: Request, visitor: CurrentVisitor, x_form_token: Annotated[str, Header(max_length=1000)] = ""
) -> Visitor:
    """The signed-in visitor, whose request came from a script of our page. Raises `SignedOut` and `Invalid`."""
    _sessions(request).check_form(request.cookies.get(COOKIE, ""), x_form_token)
    return visitor


ScriptSender = Annotated[Visitor, Depends(get_script_sender)]


@router.get("/sign-in")
async def show_sign_in(visitor: PossibleVisitor) -> Response:
    """The page that asks for a key."""
    return _to(HOME) if visitor else sign_in_page()


@router.post("/sign-in")
async def sign_in(request: Request, services: Services, fields: FormFields) -> Response:
    """Exchange a key for a session, and go on to the page that was asked for. The key itself is not kept."""
    await services.limiter.hit("sign-in", SIGN_INS_PER_ADDRESS, client_address(request, services.settings))
    page = fields.get("next", HOME)
    try:
        async with services.database.transaction() as session:
            key = await keys.verify(session, fields.get("api_key", ""))
        if not key.opens_all:
            raise WrongScope("Only a key with scope 'all' opens these pages. Sign in with such a key.")
    except RecruitScreenError as error:
        return sign_in_page(error.message, error.status, page)
    answer = _to(page if OWN_PATH.fullmatch(page) else HOME)
    answer.set_cookie(
        COOKIE, _sessions(request).issue(key.id), LIFETIME_S, httponly=True,
        samesite="lax", secure=urlsplit(services.settings.public_url).scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/sign-out")
async def sign_out(_: FormSender) -> Response:
    """End the session in this browser."""
    answer = _to("/sign-in")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def sign_in_page(message: str = "", status: int = 200, page: str = HOME) -> HTMLResponse:
    """The page that asks for a key. `page` is opened afterwards."""
    return render("sign_in.html", {"message": message, "next": page}, status=status, headers=PRIVATE)


def ask_to_sign_in(request: Request, _: Exception) -> HTMLResponse:
    """The answer to a visitor who is not signed in."""
    return sign_in_page(page=request.url.path if request.method == "GET" else HOME)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _to(page: str) -> RedirectResponse:
    return RedirectResponse(page, 303, PRIVATE)
