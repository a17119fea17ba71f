"""Report to queued jobs how many jobs are ahead of them and when their result can be expected.

Positions are events, so early and late subscribers of a stream read the same. The first event holds the position; the
sweeper adds a progress event whenever it changes.
"""

from typing import Any

from sqlalchemy import func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import LeaseLost
from serve_app.jobs import duration_estimate, lifecycle
from serve_app.jobs.lifecycle import Note
from serve_app.jobs.models import Job, JobEvent
from serve_app.jobs.scheduling import queue_in_order

MAX_REPORTED = 100
"""Jobs at the head of the queue whose changes of position are reported."""
REPORT_LOCK = 7_301_992
"""Advisory lock: only one executor reports at a time."""


async def get_position(session: AsyncSession, job: Job) -> dict[str, Any]:
    """Data of a job's first event: `queue_position` from 1 and `expected_s`. The job's row must be flushed."""
    queue = queue_in_order()
    query = select(queue.c.position, queue.c.audio_s).where(queue.c.id == job.id)
    position, audio_s = (await session.exec(query)).one()
    return _event_data(position, await duration_estimate.expected_s(session, job.vertical, float(audio_s)))


async def report_changes(session: AsyncSession) -> None:
    """Write an event for each queued job whose position has changed. Does nothing while another process does it."""
    if not (await session.exec(select(func.pg_try_advisory_xact_lock(REPORT_LOCK)))).one():
        return
    ordered = queue_in_order()
    columns: Any = ordered.c
    queue = select(*columns).where(ordered.c.position <= MAX_REPORTED).subquery()
    reported = (
        select(text("(data ->> 'queue_position')::int"))
        .select_from(JobEvent)
        .where(col(JobEvent.job_id) == queue.c.id, col(JobEvent.data).has_key("queue_position"))  # type: ignore[attr-defined] # JSONB's own
        .order_by(col(JobEvent.seq).desc())
        .limit(1)
        .scalar_subquery()
    )
    changed: Any = select(*queue.c).where(queue.c.position.is_distinct_from(reported)).order_by(queue.c.position)
    for row in (await session.exec(changed)).all():
        expected_s = await duration_estimate.expected_s(session, row.vertical, float(row.audio_s))
        note = Note(f"place {row.position} in the queue", _event_data(row.position, expected_s))
        try:
            await lifecycle.report(session, row.id, row.version, note)
        except LeaseLost:
            continue  # a worker has claimed the job, or its owner has canceled it


def _event_data(position: int, expected_s: float) -> dict[str, Any]:
    return {"queue_position": position, "expected_s": round(expected_s, 1)}
