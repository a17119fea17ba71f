"""Read jobs and their events. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import JobNotFound
from serve_app.jobs.models import Job, JobEvent, JobState
from serve_app.storage.pagination import Page, Position, older_than, page
from serve_app.storage.text import storable

OPEN = (JobState.QUEUED, JobState.LOADING_WEIGHTS, JobState.PROCESSING_INFERENCE)


async def get_owned(session: AsyncSession, account_id: str, job_id: str) -> Job:
    """A job of this account. Raises `JobNotFound`, also for jobs of other accounts."""
    if not storable(job_id):
        raise JobNotFound
    query = select(Job).where(col(Job.id) == job_id, col(Job.account_id) == account_id)
    job = (await session.exec(query)).first()
    if job is None:
        raise JobNotFound
    return job


async def get_job(session: AsyncSession, job_id: str) -> Job:
    """A job of any account, for callers that have checked the reader's rights. Raises `JobNotFound`."""
    job = await session.get(Job, job_id)
    if job is None:
        raise JobNotFound
    return job


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of an account's jobs to list. None lists all. Values match exactly, except those of `q`."""

    state: JobState | None = None
    vertical: str | None = None
    q: str = ""
    """Words; each must be a part of the job's id, role title, label or file name. Case does not matter."""
    role_title: str | None = None
    label: str | None = None
    file_name: str | None = None
    language: str | None = None
    stage: str | None = None
    further: bool = True
    """Whether further assessments of a transcript are listed, too."""
    metadata: Sequence[tuple[str, str]] = ()
    """Members of the caller's `metadata`: name, and value as text."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter in SQL."""
        role_title = col(Job.inputs)["role_title"].astext
        columns = {
            col(Job.state): self.state, col(Job.vertical): self.vertical, role_title: self.role_title,
            col(Job.label): self.label, col(Job.file_name): self.file_name, col(Job.language): self.language,
            col(Job.stage): self.stage,
        }  # fmt: skip
        searched = func.concat_ws(" ", col(Job.id), role_title, col(Job.label), col(Job.file_name))
        return [
            *(column == value for column, value in columns.items() if value is not None),
            *(searched.icontains(word, autoescape=True) for word in self.q.split()),
            *(() if self.further else (col(Job.original_id).is_(None),)),
            *(col(Job.labels)[name].astext == value for name, value in self.metadata),
        ]


async def list_jobs(
    session: AsyncSession, account_id: str, filter_: Filter, after: Position | None, limit: int
) -> Page[Job]:
    """A page of an account's jobs, newest first."""
    conditions = [col(Job.account_id) == account_id, *filter_.conditions()]
    older = older_than(after, col(Job.created_at), col(Job.id))
    newest_first = (col(Job.created_at).desc(), col(Job.id).desc())
    query = select(Job).where(*conditions, *older).order_by(*newest_first).limit(limit + 1)
    return page((await session.exec(query)).all(), limit, lambda job: Position(job.created_at, job.id))


async def held_credits(session: AsyncSession, account_id: str) -> int:
    """Credits charged for jobs that are not over."""
    return await _charged(session, account_id, col(Job.state).in_(OPEN))


async def refundable_credits(session: AsyncSession, account_id: str) -> int:
    """Credits charged for failed jobs that can still be retried. They are returned if no retry completes."""
    return await _charged(session, account_id, (col(Job.state) == JobState.FAILED) & col(Job.blob).is_not(None))


async def _charged(session: AsyncSession, account_id: str, condition: ColumnElement[bool]) -> int:
    total = select(func.coalesce(func.sum(col(Job.credits)), 0)).where(col(Job.account_id) == account_id, condition)
    return int((await session.exec(total)).one())


async def blobs_without_job(session: AsyncSession, blobs: Sequence[str]) -> set[str]:
    """The keys among `blobs` that belong to no job."""
    query = select(col(Job.blob)).where(col(Job.blob).in_(blobs))
    return set(blobs) - {blob for blob in (await session.exec(query)).all() if blob}


async def events_after(session: AsyncSession, job_id: str, seq: int) -> list[JobEvent]:
    """A job's events newer than `seq`, in order."""
    query = select(JobEvent).where(col(JobEvent.job_id) == job_id, col(JobEvent.seq) > seq).order_by(col(JobEvent.seq))
    return list((await session.exec(query)).all())


async def newest_event(session: AsyncSession, job_id: str) -> JobEvent | None:
    """A job's last event. None when the job does not exist."""
    query = select(JobEvent).where(col(JobEvent.job_id) == job_id).order_by(col(JobEvent.seq).desc()).limit(1)
    return (await session.exec(query)).first()


async def queue_depths(session: AsyncSession) -> dict[str, int]:
    """Number of queued jobs by product; products without any are left out."""
    queued: Any = (
        select(Job.vertical, func.count()).where(col(Job.state) == JobState.QUEUED).group_by(col(Job.vertical))
    )
    return {vertical: int(count) for vertical, count in (await session.exec(queued)).all()}
