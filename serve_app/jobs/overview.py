"""The rows of a list of interviews: what people see of each, read without its transcript."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.jobs.models import Job, JobState
from serve_app.jobs.queries import Filter
from serve_app.storage.pagination import Page, Position, older_than, page
from serve_app.storage.text import storable

MAX_ROWS = 10_000
"""Rows of a list as a file."""


@dataclass(frozen=True, slots=True)
class Overview:
    """An interview in a list. The fields that a job has, too, mean the same."""

    id: str
    original_id: str | None
    vertical: str
    state: JobState
    label: str | None
    labels: dict[str, Any]
    file_name: str | None
    inputs: dict[str, Any]
    duration_s: float
    credits: int
    error_message: str | None
    reviews: list[dict[str, Any]]
    created_at: datetime
    finished_at: datetime | None
    erased_at: datetime | None
    recommendation: str | None
    """The model's. None while there is no result."""
    competencies: list[str]
    """Slugs of the result's scores. Empty while there is no result."""


FIELDS = tuple(Overview.__dataclass_fields__)[:-2]


async def list_overviews(
    session: AsyncSession, account_id: str, filter_: Filter, after: Position | None, limit: int
) -> Page[Overview]:
    """A page of an account's interviews, newest first."""
    conditions = [col(Job.account_id) == account_id, *filter_.conditions()]
    older = older_than(after, col(Job.created_at), col(Job.id))
    newest_first = (col(Job.created_at).desc(), col(Job.id).desc())
    query = _query().where(*conditions, *older).order_by(*newest_first).limit(limit + 1)
    return page(await _read(session, query), limit, lambda row: Position(row.created_at, row.id))


async def get_overviews(session: AsyncSession, account_id: str, job_ids: Sequence[str]) -> list[Overview]:
    """Those of the named interviews that the account owns, in the order of the names."""
    named = col(Job.id).in_(list(filter(storable, job_ids)))
    rows = await _read(session, _query().where(col(Job.account_id) == account_id, named))
    return sorted(rows, key=lambda row: job_ids.index(row.id))


async def list_versions(session: AsyncSession, job: Job) -> list[Overview]:
    """All assessments of the job's recording, the original first, then in the order of their requests."""
    original_id = job.original_id or job.id
    mine = (col(Job.id) == original_id) | (col(Job.original_id) == original_id)
    in_order = (col(Job.original_id).is_not(None), col(Job.created_at), col(Job.id))
    return await _read(session, _query().where(mine).order_by(*in_order))


def _query() -> Any:
    result: Any = col(Job.result)
    slugs = select(func.json_object_keys(result["assessment", "scores"])).correlate(Job).scalar_subquery()
    columns: Any = (
        *(getattr(Job, name) for name in FIELDS),
        result["assessment", "recommendation"].as_string(),
        func.array(slugs, type_=ARRAY(Text)),
    )
    return select(*columns)


async def _read(session: AsyncSession, query: Any) -> list[Overview]:
    return [Overview(*row) for row in (await session.exec(query)).all()]
