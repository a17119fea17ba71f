"""Links that work once: invitations, new passwords, and sign-ins without a password.

Whoever makes a link passes it on. Nothing is sent by e-mail.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit, members, sessions
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import LinkKind, Member, OneTimeLink
from serve_app.accounts.passwords import check_password, hash_password
from serve_app.accounts.secrets import digest, new_secret
from serve_app.errors import LinkNotFound, NotFound
from serve_app.storage.database import Database, after
from serve_app.storage.text import storable

LIFETIMES_S = {LinkKind.INVITATION: 7 * 24 * 3600, LinkKind.RESET: 24 * 3600, LinkKind.SIGN_IN: 24 * 3600}


async def invite(session: AsyncSession, actor: Actor, email: str, role: Role) -> str:
    """Invite somebody into the account. Returns the link's secret. An earlier invitation of the address ends.

    Raises `NotPermitted`, `InvalidField` and, when the address has a member, `Conflict`.
    """
    actor.must_be(Role.OWNER)
    email = members.read_email(email)
    await members.must_be_free(session, email)
    mine = (col(OneTimeLink.account_id) == actor.account_id, col(OneTimeLink.email) == email)
    await session.exec(delete(OneTimeLink).where(*mine, col(OneTimeLink.kind) == LinkKind.INVITATION))
    link = OneTimeLink(sha256="", kind=LinkKind.INVITATION, account_id=actor.account_id, email=email, role=role)
    await audit.record(session, actor, Action.MEMBER_INVITED, email, f"as {role}")
    return await _store(session, link)


async def make_for_member(session: AsyncSession, actor: Actor, member_id: str, kind: LinkKind) -> str:
    """Make a link that sets a member's new password or signs the member in. Raises `NotPermitted` and `NotFound`."""
    actor.must_be(Role.OWNER)
    member = await members.get_member(session, actor, member_id)
    link = OneTimeLink(
        sha256="", kind=kind, account_id=member.account_id, member_id=member.id, email=member.email, role=member.role
    )
    await audit.record(session, actor, Action.LINK_MADE, member.id, f"{kind} for {member.email}")
    return await _store(session, link)


async def find(session: AsyncSession, secret: str) -> OneTimeLink:
    """The live link with this secret. Raises `LinkNotFound`."""
    link = (await session.exec(select(OneTimeLink).where(*_live(secret)))).first()
    if link is None:
        raise LinkNotFound
    return link


async def list_invitations(session: AsyncSession, actor: Actor) -> Sequence[OneTimeLink]:
    """Invitations that are open, newest first. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    query = select(OneTimeLink).where(*_open_invitations(actor)).order_by(col(OneTimeLink.created_at).desc())
    return (await session.exec(query)).all()


async def withdraw(session: AsyncSession, actor: Actor, link_id: str) -> None:
    """Withdraw an open invitation. Raises `NotPermitted` and `NotFound`."""
    actor.must_be(Role.OWNER)
    gone = delete(OneTimeLink).where(*_open_invitations(actor), col(OneTimeLink.id) == link_id)
    if not storable(link_id) or (await session.exec(gone.returning(col(OneTimeLink.id)))).first() is None:
        raise NotFound("No open invitation has this id. It may have been accepted.")


async def accept_invitation(database: Database, secret: str, password: str) -> Member:
    """Make a member of the invited person. Raises `LinkNotFound`, `InvalidField` for a weak password, `Conflict`."""
    hashed = await _hash_for(database, secret, LinkKind.INVITATION, password)
    async with database.transaction() as session:
        link = await _use(session, secret, LinkKind.INVITATION)
        return await members.add_member(session, link.account_id, link.email, link.role, hashed)


async def reset_password(database: Database, secret: str, password: str) -> Member:
    """Set the password of the link's member and end its sessions. Raises `LinkNotFound` and `InvalidField`."""
    hashed = await _hash_for(database, secret, LinkKind.RESET, password)
    async with database.transaction() as session:
        member = await _member(session, await _use(session, secret, LinkKind.RESET))
        await members.set_password(session, member.actor, member.id, hashed)
        await sessions.end_all(session, member.id)
        return member


async def sign_in(session: AsyncSession, secret: str) -> Member:
    """The member that the link signs in. Raises `LinkNotFound`."""
    return await _member(session, await _use(session, secret, LinkKind.SIGN_IN))


async def delete_expired(session: AsyncSession) -> None:
    """Delete links that have expired."""
    await session.exec(delete(OneTimeLink).where(col(OneTimeLink.expires_at) <= func.now()))


async def _hash_for(database: Database, secret: str, kind: LinkKind, password: str) -> str:
    """The hash of the password that a link's holder chose. Takes a quarter of a second, so outside a transaction."""
    async with database.transaction() as session:
        link = await find(session, secret)
    if link.kind is not kind:
        raise LinkNotFound
    check_password(password, link.email)
    return await hash_password(password)


async def _use(session: AsyncSession, secret: str, kind: LinkKind) -> OneTimeLink:
    """Use a link up. Of two who use it at once, the second gets `LinkNotFound`."""
    used = delete(OneTimeLink).where(*_live(secret), col(OneTimeLink.kind) == kind)
    link: OneTimeLink | None = (await session.exec(used.returning(OneTimeLink))).scalar_one_or_none()
    if link is None:
        raise LinkNotFound
    return link


async def _member(session: AsyncSession, link: OneTimeLink) -> Member:
    return await session.get_one(Member, link.member_id)


async def _store(session: AsyncSession, link: OneTimeLink) -> str:
    secret = new_secret()
    link.sha256 = digest(secret)
    expires_at: Any = after(LIFETIMES_S[link.kind])
    link.expires_at = expires_at
    session.add(link)
    await session.flush()
    return secret


def _live(secret: str) -> tuple[ColumnElement[bool], ...]:
    return col(OneTimeLink.sha256) == digest(secret), col(OneTimeLink.expires_at) > func.now()


def _open_invitations(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    mine = (col(OneTimeLink.account_id) == actor.account_id, col(OneTimeLink.kind) == LinkKind.INVITATION)
    return *mine, col(OneTimeLink.expires_at) > func.now()
