"""How jobs end, and which credits are returned. Nothing else returns credits.

| Ending | Credits |
|---|---|
| `complete` | kept; refunded when no speech was recognised or understood |
| `requeue_or_fail` | kept while the job can still run; refunded at once when a retry cannot help |
| `cancel` | released if no model had begun to work on the recording |
| `erase_expired`, `erase` | refunded if the job failed: it can no longer be retried |

A job's price is returned at most once. `retry` reopens a failed job without a charge.
"""

from typing import Any

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit, preferences
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.credits import ledger
from serve_app.credits.models import EntryKind
from serve_app.errors import Conflict, JobNotFound, RecruitScreenError
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import TERMINAL, Claim, Note
from serve_app.jobs.models import Job, JobState, price_of
from serve_app.pipeline.languages import UNKNOWN
from serve_app.settings import Settings
from serve_app.storage.database import after

NO_SPEECH = "no speech was recognised"
NOT_UNDERSTOOD = "the speech was not understood"


async def complete(session: AsyncSession, claim: Claim, result: dict[str, Any], retention_s: float) -> None:
    """Store the result, and keep it for `retention_s` seconds at most; a further assessment as long as its original.

    Returns the price when no speech was recognised or understood. Raises `LeaseLost`.
    """
    useless, job = _useless(result), claim.job
    kept_with = None if job.original_id is None else await session.get_one(Job, job.original_id)
    expires_at = kept_with.expires_at if kept_with else await _kept_until(session, job, retention_s)
    await lifecycle.transition(
        session, job.id, JobState.COMPLETED, seen=claim.version, note=Note(useless),
        result=result, language=result["language"], blob=None, expires_at=expires_at,
    )  # fmt: skip
    if useless:
        await _return_credits(session, job, EntryKind.REFUND, useless)


def _useless(result: dict[str, Any]) -> str | None:
    """Why a result holds nothing that a customer would pay for; None when it does."""
    if result.get("no_speech"):
        return NO_SPEECH
    return NOT_UNDERSTOOD if result["language"] == UNKNOWN else None


async def requeue_or_fail(
    session: AsyncSession, claim: Claim, settings: Settings, failure: RecruitScreenError
) -> str | None:
    """Queue the job again after a back-off, or fail it when a retry cannot help or no attempt is left.

    Returns the blob to delete, or None while the input is still needed for another attempt or a retry.
    Raises `LeaseLost`.
    """
    job = claim.job
    if failure.retryable and job.attempt < settings.max_attempts:
        back_off_s = 2.0**job.attempt
        note = Note(f"{failure.code}; next attempt in {back_off_s:.0f} s", {"attempt": job.attempt})
        await lifecycle.requeue(session, job.id, seen=claim.version, after_s=back_off_s, note=note)
        return None
    if failure.retryable:
        changes: dict[str, Any] = {"expires_at": after(settings.retry_window_s)}
    else:
        kept_until = await _kept_until(session, job, settings.retention_s)
        changes = {"expires_at": kept_until, "blob": None, "source_url": None}
        await _return_credits(session, job, EntryKind.REFUND, f"failed for good: {failure.code}")
    error = {"code": failure.code, "message": failure.message, "retryable": failure.retryable}
    await lifecycle.transition(
        session, job.id, JobState.FAILED, seen=claim.version, note=Note(failure.code, {"error": error}),
        error_code=failure.code, error_message=failure.message, **changes,
    )  # fmt: skip
    return None if failure.retryable else job.blob


async def cancel(session: AsyncSession, actor: Actor, job: Job, retention_s: float) -> str | None:
    """Cancel a job that is not over. Returns the input to delete. Its worker notices within a second.

    Releases the charge until a model has begun to work on the recording, since the submit or the owner's last retry.
    Does nothing to a canceled job. Raises `Conflict` when the job has completed or failed, and `NotPermitted`.
    """
    actor.must_be(Role.RECRUITER)
    if (job := await _lock(session, job.id)).state is JobState.CANCELED:
        return None
    await audit.record(session, actor, Action.INTERVIEW_CANCELED, job.id)
    return await _cancel(session, job, retention_s)


async def _cancel(session: AsyncSession, job: Job, retention_s: float) -> str | None:
    if job.state in TERMINAL:
        raise Conflict(f"The job is {job.state}. Only a job that is not over can be canceled.")
    if job.inference_at is None:
        await _return_credits(session, job, EntryKind.RELEASE, "canceled before a model had begun to work")
    expires_at = await _kept_until(session, job, retention_s)
    await lifecycle.transition(session, job.id, JobState.CANCELED, blob=None, source_url=None, expires_at=expires_at)
    return job.blob


async def retry(session: AsyncSession, actor: Actor, job: Job) -> None:
    """Queue a failed job again without a charge.

    Raises `Conflict` when it did not fail or its window has closed, and `NotPermitted`.
    """
    actor.must_be(Role.RECRUITER)
    job = await _lock(session, job.id)
    if job.state is not JobState.FAILED:
        raise Conflict(f"The job is {job.state}. Only a failed job can be retried.")
    gone = job.blob is None and job.source_url is None
    if gone or job.erased_at is not None or await _is_expired(session, job):
        raise Conflict("This job can no longer be retried. Its credits are returned. Submit the recording again.")
    await lifecycle.transition(
        session, job.id, JobState.QUEUED, note=Note("retried"), attempt=0, error_code=None, error_message=None,
        available_at=func.now(), inference_at=None,
    )  # fmt: skip
    await audit.record(session, actor, Action.INTERVIEW_RETRIED, job.id)


async def erase(session: AsyncSession, actor: Actor, job: Job) -> str | None:
    """Erase the content of a job that is over and of its further assessments, and keep receipts.

    Returns the input to delete. Cancels those assessments that are not over. Raises `Conflict` when the job is not,
    and `NotPermitted`.
    """
    actor.must_be(Role.RECRUITER)
    job = await _lock(session, job.id)
    if job.state not in TERMINAL:
        raise Conflict(f"The job is {job.state}. Cancel it before you delete it.")
    await audit.record(session, actor, Action.INTERVIEW_ERASED, job.id)
    return await _erase(session, job, "deleted by its owner")


async def erase_expired(session: AsyncSession) -> list[str]:
    """Erase jobs past their retention or retry window. Returns the inputs to delete."""
    blobs = [await _erase(session, job, "not retried in time") for job in await lifecycle.past_retention(session)]
    return [blob for blob in blobs if blob]


async def _erase(session: AsyncSession, job: Job, why: str) -> str | None:
    for further in await lifecycle.further_assessments(session, job.id):
        if further.state not in TERMINAL:
            await _cancel(session, await _lock(session, further.id), 0.0)
        await _erase(session, await _lock(session, further.id), why)
    blob = job.blob
    if job.state is JobState.FAILED:
        await _return_credits(session, job, EntryKind.REFUND, f"failed: {job.error_code}; {why}")
    await lifecycle.erase_content(session, job.id)
    return blob


async def _kept_until(session: AsyncSession, job: Job, retention_s: float) -> Any:
    """When the content of a job that ends now is erased: after `retention_s` seconds, or sooner as the account says."""
    return after(await preferences.retention_s(session, job.account_id, retention_s))


async def _return_credits(session: AsyncSession, job: Job, kind: EntryKind, reason: str) -> None:
    """Return a job's price: `RELEASE` when it was canceled before inference, `REFUND` when it has no result."""
    if await ledger.return_credits(session, price_of(job), kind, reason):
        returned = {"credits_returned": job.credits, "return_reason": reason}
        await session.exec(update(Job).where(col(Job.id) == job.id).values(returned))


async def _lock(session: AsyncSession, job_id: str) -> Job:
    query = select(Job).where(col(Job.id) == job_id).with_for_update().execution_options(populate_existing=True)
    job = (await session.exec(query)).first()
    if job is None:
        raise JobNotFound
    return job


async def _is_expired(session: AsyncSession, job: Job) -> bool:
    now = (await session.exec(select(func.now()))).one()
    return job.expires_at is not None and job.expires_at < now
