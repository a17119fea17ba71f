"""What a job will probably take, from the jobs before it."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.jobs.models import Job, JobState

RECENT = 50
FIRST_GUESS = 0.5
"""Seconds of work per second of audio before any job was measured: the default models on two CPU cores."""


async def expected_s(session: AsyncSession, vertical: str, duration_s: float) -> float:
    """Seconds from start to end of a job of this length: the median pace of recent jobs of the product."""
    took = func.extract("epoch", col(Job.finished_at) - col(Job.started_at))
    recent = (
        select((took / col(Job.duration_s)).label("pace"))
        .where(col(Job.vertical) == vertical, col(Job.state) == JobState.COMPLETED, col(Job.duration_s) > 0)
        .order_by(col(Job.created_at).desc())
        .limit(RECENT)
        .subquery()
    )
    pace = (await session.exec(select(func.percentile_cont(0.5).within_group(recent.c.pace)))).one()
    return duration_s * float(FIRST_GUESS if pace is None else pace)
