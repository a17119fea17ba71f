"""Accept jobs and show them to their owner.

Accepting is one transaction: idempotency, charge, row and first event stand or fall together.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.errors import Invalid, JobNotFound
from serve_app.jobs import queue_position
from serve_app.jobs.lifecycle import topic
from serve_app.jobs.models import EventKind, IdempotencyKey, Job, JobEvent, JobState, price_of
from serve_app.storage.blobs import StoredBlob
from serve_app.storage.database import wake_after_commit
from serve_app.storage.pagination import Page, Position, older_than, page
from serve_app.storage.text import storable


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller sent, probed and stored."""

    account_id: str
    key_id: str | None
    vertical: str
    inputs: dict[str, Any]
    duration_s: float
    credits: int
    blob: StoredBlob
    labels: dict[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None

    def fingerprint(self) -> str:
        """SHA-256 over everything that makes this request this request, the file's digest included."""
        parts = [self.vertical, self.inputs, self.labels, self.blob.sha256]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submit. `replayed` marks the repeat of an earlier one, whose upload is then not needed."""

    job_id: str
    credits_charged: int
    credits_remaining: int
    replayed: bool = False


async def accept(session: AsyncSession, submission: Submission) -> Accepted:
    """Charge and queue a job, or repeat the answer given under the same idempotency key.

    Raises `InsufficientCredits`, or `Invalid` when the key was used for another request. Either undoes everything.
    """
    job = _row(submission)
    if earlier := await _reserve(session, submission, job.id):
        return earlier
    remaining = await ledger.charge(session, price_of(job))
    session.add(job)
    await session.flush()
    place = await queue_position.place_of(session, job)
    session.add(JobEvent(job_id=job.id, seq=1, kind=EventKind.STATUS, status=job.state, data=place))
    accepted = Accepted(job.id, job.credits, remaining)
    await _remember(session, submission, accepted)
    wake_after_commit(session, topic(job.id))
    return accepted


async def owned(session: AsyncSession, account_id: str, job_id: str) -> Job:
    """The caller's own job. Raises `JobNotFound`, also for other accounts' jobs."""
    if not storable(job_id):
        raise JobNotFound
    query = select(Job).where(col(Job.id) == job_id, col(Job.account_id) == account_id)
    job = (await session.exec(query)).first()
    if job is None:
        raise JobNotFound
    return job


async def by_id(session: AsyncSession, job_id: str) -> Job:
    """A job, for a reader whose right was checked otherwise. Raises `JobNotFound`."""
    job = await session.get(Job, job_id)
    if job is None:
        raise JobNotFound
    return job


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of an account's jobs to list."""

    state: JobState | None = None
    vertical: str | None = None


async def listed(
    session: AsyncSession, account_id: str, wanted: Filter, after: Position | None, limit: int
) -> Page[Job]:
    """A page of an account's jobs, newest first."""
    conditions = [col(Job.account_id) == account_id, *older_than(after, col(Job.created_at), col(Job.id))]
    if wanted.state is not None:
        conditions.append(col(Job.state) == wanted.state)
    if wanted.vertical is not None:
        conditions.append(col(Job.vertical) == wanted.vertical)
    query = select(Job).where(*conditions).order_by(col(Job.created_at).desc(), col(Job.id).desc()).limit(limit + 1)
    return page((await session.exec(query)).all(), limit, lambda job: Position(job.created_at, job.id))


async def held_credits(session: AsyncSession, account_id: str) -> int:
    """Credits charged for jobs that are not over, or that failed and may still be retried or refunded."""
    open_ = (JobState.QUEUED, JobState.LOADING_WEIGHTS, JobState.PROCESSING_INFERENCE)
    held = col(Job.state).in_(open_) | ((col(Job.state) == JobState.FAILED) & col(Job.blob).is_not(None))
    total = select(func.coalesce(func.sum(col(Job.credits)), 0)).where(col(Job.account_id) == account_id, held)
    return int((await session.exec(total)).one())


async def without_job(session: AsyncSession, blobs: Sequence[str]) -> set[str]:
    """Those of `blobs` that belong to no job."""
    query = select(col(Job.blob)).where(col(Job.blob).in_(blobs))
    return set(blobs) - {blob for blob in (await session.exec(query)).all() if blob}


async def events_after(session: AsyncSession, job_id: str, seq: int) -> list[JobEvent]:
    """Events of a job newer than `seq`, in order."""
    query = select(JobEvent).where(col(JobEvent.job_id) == job_id, col(JobEvent.seq) > seq).order_by(col(JobEvent.seq))
    return list((await session.exec(query)).all())


async def newest_event(session: AsyncSession, job_id: str) -> JobEvent | None:
    """The last thing that happened to a job; None when the job is gone."""
    query = select(JobEvent).where(col(JobEvent.job_id) == job_id).order_by(col(JobEvent.seq).desc()).limit(1)
    return (await session.exec(query)).first()


def _row(submission: Submission) -> Job:
    return Job(
        account_id=submission.account_id,
        key_id=submission.key_id,
        vertical=submission.vertical,
        inputs=submission.inputs,
        labels=submission.labels,
        duration_s=submission.duration_s,
        credits=submission.credits,
        blob=submission.blob.key,
        blob_sha256=submission.blob.sha256,
        blob_bytes=submission.blob.size,
    )


async def _reserve(session: AsyncSession, submission: Submission, job_id: str) -> Accepted | None:
    """Take the idempotency key, or return what was answered under it.

    The insert waits for a concurrent holder of the same key to commit, so duplicates in flight become one job.
    """
    if submission.idempotency_key is None:
        return None
    reserve = insert(IdempotencyKey).values(
        account_id=submission.account_id,
        key=submission.idempotency_key,
        fingerprint=submission.fingerprint(),
        job_id=job_id,
    )
    taken = await session.exec(reserve.on_conflict_do_nothing().returning(col(IdempotencyKey.key)))
    if taken.first() is not None:
        return None
    earlier = await session.get_one(IdempotencyKey, (submission.account_id, submission.idempotency_key))
    if earlier.fingerprint != submission.fingerprint():
        raise Invalid("This Idempotency-Key was used for a different request. Use a new key.")
    return Accepted(**(earlier.response or {}), replayed=True)


async def _remember(session: AsyncSession, submission: Submission, accepted: Accepted) -> None:
    if submission.idempotency_key is None:
        return
    row = await session.get_one(IdempotencyKey, (submission.account_id, submission.idempotency_key))
    row.response = {
        "job_id": accepted.job_id,
        "credits_charged": accepted.credits_charged,
        "credits_remaining": accepted.credits_remaining,
    }
    session.add(row)


async def queue_depths(session: AsyncSession) -> dict[str, int]:
    """Number of queued jobs by product; products without any are left out."""
    queued: Any = (
        select(Job.vertical, func.count()).where(col(Job.state) == JobState.QUEUED).group_by(col(Job.vertical))
    )
    return {vertical: int(count) for vertical, count in (await session.exec(queued)).all()}
