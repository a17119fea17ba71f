"""Browsers that are signed in: begin, find, list and end their sessions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import MAX_DEVICE, BrowserSession, Member
from serve_app.accounts.secrets import digest, new_secret
from serve_app.errors import NotFound
from serve_app.storage.database import after
from serve_app.storage.text import storable

MEMBER_LIFETIME_S = 7 * 24 * 3600
KEY_LIFETIME_S = 8 * 3600


@dataclass(frozen=True, slots=True)
class NewSession:
    """The secret for the cookie of a new session, and how long it lives."""

    secret: str
    lifetime_s: int


async def begin(session: AsyncSession, actor: Actor, device: str) -> NewSession:
    """Begin a session of a member or a key. `device` is what the browser calls itself."""
    lifetime_s = MEMBER_LIFETIME_S if actor.member_id else KEY_LIFETIME_S
    secret = new_secret()
    row = BrowserSession(
        sha256=digest(secret), account_id=actor.account_id, member_id=actor.member_id, key_id=actor.key_id,
        name=actor.name, device=device[:MAX_DEVICE] if storable(device) else "", expires_at=after(lifetime_s),
    )  # fmt: skip
    session.add(row)
    await session.flush()
    await audit.record(session, actor, Action.SESSION_BEGAN)
    return NewSession(secret, lifetime_s)


async def find(session: AsyncSession, secret: str) -> tuple[BrowserSession, Member | None] | None:
    """The live session with this secret and its member. A session of a key has none; its key is not checked here."""
    query = (
        select(BrowserSession, Member)
        .outerjoin(Member, col(Member.id) == col(BrowserSession.member_id))
        .where(col(BrowserSession.sha256) == digest(secret), col(BrowserSession.expires_at) > func.now())
    )
    found = (await session.exec(query)).first()
    if found is None:
        return None
    await _touch(session, found[0])
    return found[0], found[1]


async def list_sessions(session: AsyncSession, actor: Actor) -> Sequence[BrowserSession]:
    """Live sessions, last seen first: an owner sees all of the account, others see their own."""
    query = select(BrowserSession).where(*_visible(actor), col(BrowserSession.expires_at) > func.now())
    return (await session.exec(query.order_by(col(BrowserSession.seen_at).desc()))).all()


async def end(session: AsyncSession, actor: Actor, session_id: str) -> None:
    """End a session that the actor can see. Raises `NotFound`."""
    ended = delete(BrowserSession).where(*_visible(actor), col(BrowserSession.id) == session_id)
    name = (await session.exec(ended.returning(col(BrowserSession.name)))).first() if storable(session_id) else None
    if name is None:
        raise NotFound("No live session has this id. It may have ended already.")
    await audit.record(session, actor, Action.SESSION_ENDED, session_id, name[0])


async def end_all(session: AsyncSession, member_id: str, but: str | None = None) -> None:
    """End a member's sessions, except for the one with id `but`."""
    mine = (col(BrowserSession.member_id) == member_id, col(BrowserSession.id).is_distinct_from(but))
    await session.exec(delete(BrowserSession).where(*mine))


async def end_of_key(session: AsyncSession, key_id: str) -> None:
    """End the sessions that a key has begun."""
    await session.exec(delete(BrowserSession).where(col(BrowserSession.key_id) == key_id))


async def delete_expired(session: AsyncSession) -> None:
    """Delete the rows of sessions that have expired."""
    await session.exec(delete(BrowserSession).where(col(BrowserSession.expires_at) <= func.now()))


def _visible(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    account = col(BrowserSession.account_id) == actor.account_id
    if actor.role is Role.OWNER:
        return (account,)
    return account, col(BrowserSession.member_id) == actor.member_id


async def _touch(session: AsyncSession, row: BrowserSession) -> None:
    # Written at most once a minute, to save a row write on every request.
    stale = (col(BrowserSession.id) == row.id, col(BrowserSession.seen_at) < func.now() - text("interval '1 minute'"))
    await session.exec(update(BrowserSession).where(*stale).values(seen_at=func.now()))
