"""Members of an account: sign in, list, change roles, remove. An account that has members keeps an owner."""

import re
from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit, sessions
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import MAX_EMAIL, Account, Member
from serve_app.accounts.passwords import check_password, hash_password, is_password
from serve_app.errors import Conflict, InvalidField, NotFound, SignInFailed
from serve_app.storage.database import Database
from serve_app.storage.text import storable

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
NO_SUCH_MEMBER = "No member with this id exists in your account."


def read_email(text: str) -> str:
    """An e-mail address in lower case. Raises `InvalidField`."""
    email = text.strip().lower()
    if not EMAIL.fullmatch(email) or len(email) > MAX_EMAIL or not storable(email):
        raise InvalidField(f"'{email[:60]}' is no e-mail address. Write it as name@example.com.", "email")
    return email


async def sign_in(database: Database, email: str, password: str) -> Member:
    """The member with this address and password. Raises `SignInFailed`, alike for both."""
    async with database.transaction() as session:
        member = await find_by_email(session, email)
    if not await is_password(password, member.password_hash if member else None) or member is None:
        raise SignInFailed
    return member


async def find_by_email(session: AsyncSession, email: str) -> Member | None:
    """The member with this address, or None."""
    if not storable(email):
        return None
    return (await session.exec(select(Member).where(col(Member.email) == email.strip().lower()))).first()


async def get_member(session: AsyncSession, actor: Actor, member_id: str) -> Member:
    """A member of the actor's account. Raises `NotFound`, also for members of other accounts."""
    if not storable(member_id):
        raise NotFound(NO_SUCH_MEMBER)
    mine = (col(Member.id) == member_id, col(Member.account_id) == actor.account_id)
    member = (await session.exec(select(Member).where(*mine))).first()
    if member is None:
        raise NotFound(NO_SUCH_MEMBER)
    return member


async def list_members(session: AsyncSession, actor: Actor) -> Sequence[Member]:
    """The account's members, oldest first. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    query = select(Member).where(col(Member.account_id) == actor.account_id)
    return (await session.exec(query.order_by(col(Member.created_at), col(Member.id)))).all()


async def add_member(
    session: AsyncSession, account_id: str, email: str, role: Role, password_hash: str | None = None
) -> Member:
    """Make a member. Raises `InvalidField`, and `Conflict` when somebody has this address."""
    email = read_email(email)
    await must_be_free(session, email)
    member = Member(account_id=account_id, email=email, role=role, password_hash=password_hash)
    session.add(member)
    await session.flush()
    await audit.record(session, member.actor, Action.MEMBER_JOINED, member.id, f"as {role}")
    return member


async def must_be_free(session: AsyncSession, email: str) -> None:
    """Raise `Conflict` when a member has this address."""
    if await find_by_email(session, email):
        raise Conflict(f"{email} is a member already. An address belongs to one account; use another one.")


async def change_role(session: AsyncSession, actor: Actor, member_id: str, role: Role) -> None:
    """Give a member another role. Raises `NotPermitted`, `NotFound`, and `Conflict` for the only owner."""
    actor.must_be(Role.OWNER)
    await _lock(session, actor.account_id)
    member = await get_member(session, actor, member_id)
    if role is not Role.OWNER:
        await _must_leave_an_owner(session, member)
    await session.exec(update(Member).where(col(Member.id) == member.id).values(role=role))
    await audit.record(session, actor, Action.MEMBER_ROLE_CHANGED, member.id, f"{member.email}: {role}")


async def remove(session: AsyncSession, actor: Actor, member_id: str) -> None:
    """Remove a member with its sessions and links. Raises what `change_role` raises."""
    actor.must_be(Role.OWNER)
    await _lock(session, actor.account_id)
    member = await get_member(session, actor, member_id)
    await _must_leave_an_owner(session, member)
    await session.delete(member)
    await audit.record(session, actor, Action.MEMBER_REMOVED, member.id, member.email)


async def change_password(database: Database, actor: Actor, present: str, new: str, session_id: str) -> None:
    """Set a member's own password and end its other sessions.

    Raises `InvalidField` for a weak password, `SignInFailed` for a wrong present one, and `NotFound` for a key.
    """
    async with database.transaction() as session:
        member = await get_member(session, actor, actor.member_id or "")
    if member.password_hash is not None and not await is_password(present, member.password_hash):
        raise SignInFailed("The present password is wrong.")
    check_password(new, member.email)
    hashed = await hash_password(new)
    async with database.transaction() as session:
        await set_password(session, actor, member.id, hashed)
        await sessions.end_all(session, member.id, but=session_id)


async def set_password(session: AsyncSession, actor: Actor, member_id: str, password_hash: str) -> None:
    """Store a new hash."""
    await session.exec(update(Member).where(col(Member.id) == member_id).values(password_hash=password_hash))
    await audit.record(session, actor, Action.PASSWORD_CHANGED, member_id)


async def _lock(session: AsyncSession, account_id: str) -> None:
    """Two owners who remove one another wait for each other here."""
    await session.exec(select(col(Account.id)).where(col(Account.id) == account_id).with_for_update())


async def _must_leave_an_owner(session: AsyncSession, member: Member) -> None:
    others = (
        col(Member.account_id) == member.account_id, col(Member.role) == Role.OWNER, col(Member.id) != member.id,
    )  # fmt: skip
    if member.role is Role.OWNER and (await session.exec(select(col(Member.id)).where(*others))).first() is None:
        raise Conflict(f"{member.email} is the only owner of the account. Make somebody else an owner first.")
