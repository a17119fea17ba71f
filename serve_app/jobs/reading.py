"""Reading an interview, as the audit log has it: opening its page, and saving a part of it as a file."""

from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.jobs.models import Job


async def note_seen(session: AsyncSession, actor: Actor, job: Job) -> None:
    """Log that the actor sees the result: once an hour, however often the page is loaded."""
    await audit.record_once_an_hour(session, actor, Action.INTERVIEW_SEEN, job.id)


async def note_export(session: AsyncSession, actor: Actor, job: Job, what: str) -> None:
    """Log that the actor saves `what`, for example `scorecard as pdf`. Raises `NotPermitted` for a viewer."""
    actor.must_be(Role.RECRUITER)
    await audit.record(session, actor, Action.INTERVIEW_EXPORTED, job.id, what)


async def note_list_export(session: AsyncSession, actor: Actor) -> None:
    """Log that the actor saves the list of interviews. Raises `NotPermitted` for a viewer."""
    actor.must_be(Role.RECRUITER)
    await audit.record(session, actor, Action.INTERVIEW_EXPORTED, note="list as csv")
