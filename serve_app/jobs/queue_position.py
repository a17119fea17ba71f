"""Where a queued job stands: how many are before it, and when its result may be there.

The place is told by events, like everything else on a stream, so early and late subscribers read the same: the first
event has it, and the sweep writes a progress event whenever it has changed.
"""

from typing import Any

from sqlalchemy import func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import LeaseLost
from serve_app.jobs import duration_estimate, lifecycle
from serve_app.jobs.lifecycle import Note
from serve_app.jobs.models import Job, JobEvent
from serve_app.jobs.scheduling import in_turn

TOLD_TO = 100
"""Jobs at the head of the queue that are told when their place changes."""
ONE_TELLER = 7_301_992
"""Advisory lock: of several executors one tells."""


async def place_of(session: AsyncSession, job: Job) -> dict[str, Any]:
    """What the first event of a job says of its place, once its row is flushed."""
    waiting = in_turn()
    query = select(waiting.c.place, waiting.c.audio_s).where(waiting.c.id == job.id)
    place, audio_s = (await session.exec(query)).one()
    return _place(place, await duration_estimate.expected_s(session, job.vertical, float(audio_s)))


async def tell(session: AsyncSession) -> None:
    """Report their place to waiting jobs for which it has changed. Does nothing while another process does it."""
    if not (await session.exec(select(func.pg_try_advisory_xact_lock(ONE_TELLER)))).one():
        return
    waiting = in_turn()
    columns: Any = waiting.c
    queue = select(*columns).where(waiting.c.place <= TOLD_TO).subquery()
    told = (
        select(text("(data ->> 'queue_position')::int"))
        .select_from(JobEvent)
        .where(col(JobEvent.job_id) == queue.c.id, col(JobEvent.data).has_key("queue_position"))  # type: ignore[attr-defined] # JSONB's own
        .order_by(col(JobEvent.seq).desc())
        .limit(1)
        .scalar_subquery()
    )
    moved: Any = select(*queue.c).where(queue.c.place.is_distinct_from(told)).order_by(queue.c.place)
    for row in (await session.exec(moved)).all():
        place = _place(row.place, await duration_estimate.expected_s(session, row.vertical, float(row.audio_s)))
        try:
            await lifecycle.report(session, row.id, row.version, Note(f"place {row.place} in the queue", place))
        except LeaseLost:
            continue  # it was taken up or canceled meanwhile


def _place(position: int, expected_s: float) -> dict[str, Any]:
    return {"queue_position": position, "expected_s": round(expected_s, 1)}
