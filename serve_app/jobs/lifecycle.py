"""The only writer of a job's state.

A move is one conditional UPDATE (on the allowed source states and the version that the caller has seen) and one event
row in the same transaction. `MOVES` is data: the state diagram in the docs is checked against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import IllegalTransition, LeaseLost
from serve_app.jobs.models import EventKind, Job, JobCheckpoint, JobEvent, JobState, ShareLink
from serve_app.jobs.scheduling import RUNNING, claimable, downloadable, downloads_in_order, queue_in_order
from serve_app.storage.database import after, wake_after_commit
from serve_app.webhooks import outbox
from serve_app.webhooks.models import Event, EventType

QUEUED, LOADING, INFERENCE = JobState.QUEUED, JobState.LOADING_WEIGHTS, JobState.PROCESSING_INFERENCE
COMPLETED, FAILED, CANCELED = JobState.COMPLETED, JobState.FAILED, JobState.CANCELED

MOVES: dict[JobState, frozenset[JobState]] = {
    QUEUED: frozenset({QUEUED, LOADING, INFERENCE, FAILED, CANCELED}),
    LOADING: frozenset({INFERENCE, QUEUED, FAILED, CANCELED}),
    INFERENCE: frozenset({COMPLETED, QUEUED, FAILED, CANCELED}),
    FAILED: frozenset({QUEUED}),
    COMPLETED: frozenset(),
    CANCELED: frozenset(),
}
CANDIDATES = 16
"""Jobs that `claim_next` tries in order. Executors that look at the same moment see the same list."""
TERMINAL = frozenset({COMPLETED, FAILED, CANCELED})
"""States that end a stream. A failed job may be retried; its history then continues."""


ENDINGS = {
    COMPLETED: EventType.JOB_COMPLETED,
    FAILED: EventType.JOB_FAILED,
    CANCELED: EventType.JOB_CANCELED,
}
"""The webhook event of each terminal state."""
TOLD: tuple[Any, ...] = (
    col(Job.id), col(Job.account_id), col(Job.vertical), col(Job.state), col(Job.last_seq), col(Job.error_code),
    col(Job.labels),
)  # fmt: skip
"""Columns that webhook events tell of."""


@dataclass(frozen=True, slots=True)
class Note:
    """An event's content beside the state: a line for people, and data for programs."""

    detail: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's claim on a job. Valid while the job has this version."""

    job: Job
    version: int


@dataclass(frozen=True, slots=True)
class LeaseOwners:
    """The workers of one cluster: their names begin with `prefix`, and those that are not in `alive` are dead."""

    prefix: str
    alive: frozenset[str]


async def transition(
    session: AsyncSession,
    job_id: str,
    to: JobState,
    *,
    seen: int | None = None,
    note: Note = Note(),
    **changes: Any,
) -> int:
    """Move a job to `to`, write the event, and return the new version.

    `seen` is the version that the caller knows; None moves any version. `changes` are further columns to write.
    Raises `LeaseLost` when the job has moved on since `seen`, `IllegalTransition` when its state does not lead to `to`.
    """
    sources = [state for state, targets in MOVES.items() if to in targets]
    moved = (
        await session.exec(
            update(Job)
            .where(col(Job.id) == job_id, col(Job.state).in_(sources), *_fence(seen))
            .values(state=to, version=Job.version + 1, last_seq=Job.last_seq + 1, **_stamps(to), **changes)
            .returning(col(Job.version), *TOLD)
            .execution_options(synchronize_session=False)
        )
    ).first()
    if moved is None:
        raise await _refusal(session, job_id, to, seen)
    session.add(
        JobEvent(
            job_id=job_id, seq=moved.last_seq, kind=EventKind.STATUS, status=to, detail=note.detail, data=note.data
        )
    )
    if to in (COMPLETED, CANCELED):  # of a completed job, what another assessment begins with stays
        stage = [col(JobCheckpoint.stage) == "assessment"] if to is COMPLETED else []
        await session.exec(delete(JobCheckpoint).where(col(JobCheckpoint.job_id) == job_id, *stage))
    if to in TERMINAL:
        await outbox.add(session, webhook_event(ENDINGS[to], moved))
    await session.flush()
    wake_after_commit(session, topic(job_id))
    return int(moved.version)


async def report(session: AsyncSession, job_id: str, seen: int, note: Note) -> None:
    """Write a progress event. Raises `LeaseLost` when the job is over or has moved on since `seen`."""
    working = (col(Job.id) == job_id, col(Job.state).not_in(TERMINAL), *_fence(seen))
    if await _append(session, EventKind.PROGRESS, note, working, _progress(note.data)) is None:
        raise LeaseLost


async def add_review(session: AsyncSession, job_id: str, reviews: Sequence[Mapping[str, Any]]) -> int:
    """Keep the reviews of a completed job, write an event that tells of a new one, and return its `seq`."""
    note = Note("a person reviewed the result", {"reviews": len(reviews)})
    seq = await _append(session, EventKind.REVIEW, note, (col(Job.id) == job_id,), {"reviews": reviews})
    assert seq is not None  # the caller has locked the row
    return seq


async def _append(
    session: AsyncSession, kind: EventKind, note: Note, conditions: Sequence[Any], changes: dict[str, Any]
) -> int | None:
    """Write an event that moves nothing, with `changes` of the job's row. None when no job meets the conditions."""
    job = (
        await session.exec(
            update(Job)
            .where(*conditions)
            .values(last_seq=Job.last_seq + 1, **changes)
            .returning(col(Job.id), col(Job.last_seq), col(Job.state))
            .execution_options(synchronize_session=False)
        )
    ).first()
    if job is None:
        return None
    session.add(
        JobEvent(job_id=job.id, seq=job.last_seq, kind=kind, status=job.state, detail=note.detail, data=note.data)
    )
    await session.flush()
    wake_after_commit(session, topic(job.id))
    return int(job.last_seq)


async def requeue(session: AsyncSession, job_id: str, *, seen: int | None, after_s: float, note: Note) -> int:
    """Return a job to the queue. It cannot be claimed for `after_s` seconds."""
    return await transition(session, job_id, QUEUED, seen=seen, note=note, available_at=after(after_s))


async def claim(session: AsyncSession, job_id: str, owner: str, lease_s: float) -> Claim | None:
    """Claim a queued job for `lease_s` seconds. None when it is leased or not due."""
    started = {"started_at": func.coalesce(Job.started_at, func.now())}
    return await _claim(session, job_id, claimable(), lease_owner=owner, lease_until=after(lease_s), **started)


async def claim_download(session: AsyncSession, owner: str, lease_s: float, per_account: int) -> Claim | None:
    """Claim the next job whose recording is to be fetched. None when none is due."""
    lease = {"lease_owner": owner, "lease_until": after(lease_s)}
    queue = downloads_in_order(per_account)
    for job_id in (await session.exec(select(queue.c.id).order_by(queue.c.position).limit(CANDIDATES))).all():
        if taken := await _claim(session, job_id, downloadable(), **lease):
            return taken
    return None


async def _claim(session: AsyncSession, job_id: str, conditions: list[Any], **values: Any) -> Claim | None:
    version = (
        await session.exec(
            update(Job)
            .where(col(Job.id) == job_id, *conditions)
            .values(version=Job.version + 1, attempt=Job.attempt + 1, **values)
            .returning(col(Job.version))
            .execution_options(synchronize_session=False)
        )
    ).scalar()
    if version is None:
        return None
    job = (await session.exec(select(Job).where(col(Job.id) == job_id))).one()
    return Claim(job, int(version))


async def renew_lease(session: AsyncSession, job_id: str, seen: int, lease_s: float) -> None:
    """Extend a claim to `lease_s` seconds from now. Raises `LeaseLost` when the job has moved on since `seen`."""
    kept = await session.exec(
        update(Job)
        .where(col(Job.id) == job_id, *_fence(seen))
        .values(lease_until=after(lease_s))
        .returning(col(Job.id))
        .execution_options(synchronize_session=False)
    )
    if kept.first() is None:
        raise LeaseLost


async def expired_leases(session: AsyncSession, limit: int = 100) -> Sequence[Job]:
    """Running jobs whose worker did not renew its lease."""
    query = select(Job).where(col(Job.state).in_(RUNNING), col(Job.lease_until) < func.now()).limit(limit)
    return (await session.exec(query)).all()


async def end_leases(session: AsyncSession, owners: LeaseOwners) -> None:
    """End the leases of workers that are known to be dead. Their jobs are found as those of expired leases."""
    dead = col(Job.lease_owner).startswith(owners.prefix, autoescape=True) & col(Job.lease_owner).not_in(owners.alive)
    leased = col(Job.lease_until) > func.now()
    await session.exec(
        update(Job).where(leased, dead).values(lease_until=func.now()).execution_options(synchronize_session=False)
    )


async def claim_next(session: AsyncSession, owner: str, lease_s: float) -> Claim | None:
    """Claim the next job in scheduling order. None when none is due."""
    for job_id in await due_jobs(session, limit=CANDIDATES):
        if taken := await claim(session, job_id, owner, lease_s):
            return taken
    return None


async def due_jobs(session: AsyncSession, limit: int = 100) -> Sequence[str]:
    """Ids of the claimable jobs, in scheduling order."""
    queue = queue_in_order()
    query = select(queue.c.id).order_by(queue.c.position).limit(limit)
    return (await session.exec(query)).all()


async def past_retention(session: AsyncSession, limit: int = 100) -> Sequence[Job]:
    """Finished jobs whose retention or retry window has ended, locked until the transaction ends."""
    query = select(Job).where(col(Job.expires_at) < func.now(), col(Job.erased_at).is_(None)).limit(limit)
    return (await session.exec(query.with_for_update(skip_locked=True))).all()


async def further_assessments(session: AsyncSession, job_id: str) -> Sequence[Job]:
    """The assessments of this job's transcript that are not erased, locked until the transaction ends."""
    query = select(Job).where(col(Job.original_id) == job_id, col(Job.erased_at).is_(None)).with_for_update()
    return (await session.exec(query.execution_options(populate_existing=True))).all()


async def erase_content(session: AsyncSession, job_id: str) -> None:
    """Delete all content of a job that is over. State, times and credits remain as a receipt."""
    cleared: dict[str, Any] = {"inputs": {}, "labels": {}, "reviews": [], "erased_at": func.now()}
    cleared |= dict.fromkeys(("label", "file_name", "language", "result", "blob", "source_url"))
    with_content = (col(Job.id) == job_id, col(Job.state).in_(TERMINAL), col(Job.erased_at).is_(None))
    erased = (await session.exec(update(Job).where(*with_content).values(**cleared).returning(*TOLD))).first()
    await session.exec(delete(JobCheckpoint).where(col(JobCheckpoint.job_id) == job_id))
    await session.exec(delete(ShareLink).where(col(ShareLink.job_id) == job_id))
    if erased is not None:
        await outbox.erase_job(session, job_id)
        await outbox.add(session, webhook_event(EventType.JOB_DELETED, erased))


def topic(job_id: str) -> str:
    """The bus topic of a job's events."""
    return f"job:{job_id}"


def _fence(seen: int | None) -> list[Any]:
    return [] if seen is None else [col(Job.version) == seen]


def _progress(data: dict[str, Any]) -> dict[str, Any]:
    """The columns that repeat what a progress event says."""
    columns = {name: data[name] for name in ("stage", "percent") if name in data}
    return columns | ({"expected_at": after(data["expected_s"])} if "expected_s" in data else {})


def _stamps(to: JobState) -> dict[str, Any]:
    ended = {"lease_owner": None, "lease_until": None, "stage": None, "expected_at": None}
    if to in TERMINAL:
        return ended | {"finished_at": func.now(), "percent": 100 if to is COMPLETED else None}
    if to is QUEUED:
        return ended | {"finished_at": None, "expires_at": None, "percent": None}
    if to is INFERENCE:
        return {"inference_at": func.coalesce(Job.inference_at, func.now())}
    return {}


def webhook_event(type_: EventType, job: Any) -> Event:
    """The event for an account's webhooks. `job` has the columns `TOLD`."""
    data = {
        "job_id": job.id,
        "status": job.state,
        "vertical": job.vertical,
        "detail": job.error_code,
        "seq": job.last_seq,
    }
    return Event(
        account_id=job.account_id, type=type_, vertical=job.vertical, job_id=job.id, data=data, labels=job.labels
    )


async def _refusal(session: AsyncSession, job_id: str, to: JobState, seen: int | None) -> Exception:
    job = (await session.exec(select(Job).where(col(Job.id) == job_id))).first()
    if job is not None and seen is not None and job.version != seen:
        return LeaseLost()
    return IllegalTransition(f"{job_id}: {job.state if job else 'missing'} does not lead to {to}")
