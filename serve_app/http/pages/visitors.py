"""Who looks at a page: the visitor behind a request's cookie, and the form that a visitor sends."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import sessions
from serve_app.accounts.actors import Actor, Role
from serve_app.errors import Invalid
from serve_app.http.body_limit import allow
from serve_app.http.deps import Services
from serve_app.http.pages.form_tokens import FormTokens
from serve_app.keys import service as keys

COOKIE = "rs_session"
MAX_FORM_BYTES = 16 * 1024
HOME = "/interviews"


class SignedOut(Exception):
    """No session, or it has ended: its time, its member or its key."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in: a member, or the holder of a key with scope 'all', who acts as an owner."""

    actor: Actor
    session_id: str
    form_token: str
    """Carried by every form of the session."""

    @property
    def account_id(self) -> str:
        """The account whose pages are shown."""
        return self.actor.account_id

    @property
    def is_recruiter(self) -> bool:
        """Whether to show what recruiters and owners may do. The services decide, not the page."""
        return self.actor.role.covers(Role.RECRUITER)

    @property
    def is_owner(self) -> bool:
        """Whether to show what only owners may do. The services decide, not the page."""
        return self.actor.role.covers(Role.OWNER)


async def read_form(request: Request) -> dict[str, str]:
    """The text fields of a form, without empty ones. Raises `Invalid` for a form that another site has sent."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Invalid("This form was sent from another site. Open the page here, and send the form from it.")
    allow(request, MAX_FORM_BYTES)
    async with request.form(max_files=0, max_fields=40, max_part_size=4096) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}


FormFields = Annotated[dict[str, str], Depends(read_form)]


async def find_visitor(request: Request, services: Services) -> Visitor | None:
    """The signed-in visitor, or None."""
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    async with services.database.transaction() as session:
        found = await sessions.find(session, cookie)
        if found is None:
            return None
        row, member = found
        actor = member.actor if member else await _actor_of_key(session, row.key_id or "")
    return Visitor(actor, row.id, form_tokens(request).of(cookie)) if actor else None


PossibleVisitor = Annotated[Visitor | None, Depends(find_visitor)]


async def get_visitor(visitor: PossibleVisitor) -> Visitor:
    """The signed-in visitor. Raises `SignedOut`."""
    if visitor is None:
        raise SignedOut
    return visitor


CurrentVisitor = Annotated[Visitor, Depends(get_visitor)]


async def get_owner(visitor: CurrentVisitor) -> Visitor:
    """The signed-in visitor, for pages that only owners read. Raises `SignedOut` and `NotPermitted`."""
    visitor.actor.must_be(Role.OWNER)
    return visitor


CurrentOwner = Annotated[Visitor, Depends(get_owner)]


async def get_form_sender(request: Request, fields: FormFields, visitor: CurrentVisitor) -> Visitor:
    """The signed-in visitor, whose form came from our page. Raises `SignedOut` and `Invalid`."""
    form_tokens(request).check(request.cookies.get(COOKIE, ""), fields.get("form_token", ""))
    return visitor


FormSender = Annotated[Visitor, Depends(get_form_sender)]


async def get_script_sender(
    request: Request, visitor: CurrentVisitor, x_form_token: Annotated[str, Header(max_length=1000)] = ""
) -> Visitor:
    """The signed-in visitor, whose request came from a script of our page. Raises `SignedOut` and `Invalid`."""
    form_tokens(request).check(request.cookies.get(COOKIE, ""), x_form_token)
    return visitor


ScriptSender = Annotated[Visitor, Depends(get_script_sender)]


def form_tokens(request: Request) -> FormTokens:
    """Makes and checks the tokens of forms."""
    tokens: FormTokens = request.app.state.form_tokens
    return tokens


async def _actor_of_key(session: AsyncSession, key_id: str) -> Actor | None:
    key = await keys.get_live_key(session, key_id)
    return key.actor if key and key.opens_all else None
