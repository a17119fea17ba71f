"""What an owner may do to a job of theirs: cancel, retry, erase."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.credits.models import EntryKind
from serve_app.errors import Conflict, JobNotFound
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import TERMINAL, Note
from serve_app.jobs.models import Job, JobState, price_of


async def cancel(session: AsyncSession, job: Job, retention_s: float) -> str | None:
    """End a job that is not over; its worker notices within a second. Returns the input to delete.

    Credits are released when no work had begun. A job that is canceled already stays so.
    Raises `Conflict` when the job is over otherwise.
    """
    job = await _locked(session, job.id)
    if job.state is JobState.CANCELED:
        return None
    if job.state in TERMINAL:
        raise Conflict(f"The job is {job.state}; only a job that is not over can be canceled.")
    if job.started_at is None:
        await ledger.give_back(session, price_of(job), EntryKind.RELEASE)
    expires = lifecycle.after(retention_s)
    await lifecycle.transition(session, job.id, JobState.CANCELED, blob=None, expires_at=expires)
    return job.blob


async def retry(session: AsyncSession, job: Job) -> None:
    """Queue a failed job again, without charge. Raises `Conflict` when it did not fail or its window has closed."""
    job = await _locked(session, job.id)
    if job.state is not JobState.FAILED:
        raise Conflict(f"The job is {job.state}; only a failed job can be retried.")
    if job.blob is None or job.erased_at is not None or await _expired(session, job):
        raise Conflict("The recording is no longer kept, and the job was refunded. Submit it again.")
    await lifecycle.transition(
        session, job.id, JobState.QUEUED, note=Note("retried"), attempt=0, error_code=None, error_message=None,
        available_at=func.now(),
    )  # fmt: skip


async def erase(session: AsyncSession, job: Job) -> str | None:
    """Delete a finished job's content and keep a receipt. Returns the input to delete.

    A failed job is refunded, since it can then no longer be retried. Raises `Conflict` when the job is not over.
    """
    job = await _locked(session, job.id)
    if job.state not in TERMINAL:
        raise Conflict(f"The job is {job.state}; cancel it before you delete it.")
    blob = job.blob
    if job.state is JobState.FAILED:
        await ledger.give_back(session, price_of(job), EntryKind.REFUND)
    await lifecycle.erase(session, job.id)
    return blob


async def _locked(session: AsyncSession, job_id: str) -> Job:
    query = select(Job).where(col(Job.id) == job_id).with_for_update().execution_options(populate_existing=True)
    job = (await session.exec(query)).first()
    if job is None:
        raise JobNotFound
    return job


async def _expired(session: AsyncSession, job: Job) -> bool:
    now = (await session.exec(select(func.now()))).one()
    return job.expires_at is not None and job.expires_at < now
