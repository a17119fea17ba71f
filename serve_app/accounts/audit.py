"""The audit log: who saw, changed, exported or erased what, and when. Owners read it; nothing changes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.models import MAX_NOTE, AuditEntry
from serve_app.storage.pagination import Page, Position, older_than, page

MAX_NAMES = 500
"""Names that the filter offers."""


class Action(StrEnum):
    """What is logged. The values are stored, so a value never gets another meaning."""

    INTERVIEW_SEEN = "interview.seen"
    INTERVIEW_SUBMITTED = "interview.submitted"
    INTERVIEW_CANCELED = "interview.canceled"
    INTERVIEW_RETRIED = "interview.retried"
    INTERVIEW_REASSESSED = "interview.reassessed"
    INTERVIEW_RATED = "interview.rated"
    INTERVIEW_EXPORTED = "interview.exported"
    INTERVIEW_SHARED = "interview.shared"
    SHARE_REVOKED = "interview.share_revoked"
    INTERVIEW_ERASED = "interview.erased"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    LINK_MADE = "member.link_made"
    PASSWORD_CHANGED = "member.password_changed"  # noqa: S105 - the name of an action
    SESSION_BEGAN = "session.began"
    SESSION_ENDED = "session.ended"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    SETTINGS_CHANGED = "account.settings_changed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    RUBRIC_SAVED = "rubric.saved"
    RUBRIC_DELETED = "rubric.deleted"


async def record(
    session: AsyncSession, actor: Actor, action: Action, subject: str | None = None, note: str | None = None
) -> None:
    """Add an entry, in the transaction of what it tells of. `note` names nobody who was interviewed."""
    session.add(
        AuditEntry(
            account_id=actor.account_id,
            actor=actor.name,
            member_id=actor.member_id,
            key_id=actor.key_id,
            action=action,
            subject=subject,
            note=note and note[:MAX_NOTE],
        )
    )
    await session.flush()


async def record_once_an_hour(session: AsyncSession, actor: Actor, action: Action, subject: str) -> None:
    """Add an entry unless the actor has one for the same action and subject from the last hour."""
    same = (
        col(AuditEntry.account_id) == actor.account_id,
        col(AuditEntry.subject) == subject,
        col(AuditEntry.action) == action,
        col(AuditEntry.actor) == actor.name,
        col(AuditEntry.at) > func.now() - text("interval '1 hour'"),
    )
    if (await session.exec(select(col(AuditEntry.id)).where(*same).limit(1))).first() is None:
        await record(session, actor, action, subject)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to list. None lists all."""

    action: Action | None = None
    actor: str | None = None
    subject: str | None = None


async def list_entries(
    session: AsyncSession, actor: Actor, filter_: AuditFilter, after: Position | None, limit: int
) -> Page[AuditEntry]:
    """A page of the account's log, newest first. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    columns = {
        col(AuditEntry.action): filter_.action,
        col(AuditEntry.actor): filter_.actor,
        col(AuditEntry.subject): filter_.subject,
    }
    conditions = [column == value for column, value in columns.items() if value is not None]
    older = older_than(after, col(AuditEntry.at), col(AuditEntry.id), int)
    newest_first = (col(AuditEntry.at).desc(), col(AuditEntry.id).desc())
    mine = col(AuditEntry.account_id) == actor.account_id
    query = select(AuditEntry).where(mine, *conditions, *older).order_by(*newest_first).limit(limit + 1)
    rows = (await session.exec(query)).all()
    return page(rows, limit, lambda entry: Position(entry.at, str(entry.id)))


async def list_actors(session: AsyncSession, actor: Actor) -> Sequence[str]:
    """Names in the account's log, in alphabetical order. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    names = select(AuditEntry.actor).where(col(AuditEntry.account_id) == actor.account_id).distinct()
    return (await session.exec(names.order_by(col(AuditEntry.actor)).limit(MAX_NAMES))).all()
