"""Estimate how long a job takes, from the jobs before it."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.jobs.models import Job, JobState

RECENT_JOBS = 50
FURTHER_SHARE = 0.1
"""Share of a job's work that a further assessment of its transcript takes, before there is a measurement."""
DEFAULT_PACE = 0.5
"""Seconds of work per second of audio while no job has completed: the default models on two CPU cores."""


async def expected_s(session: AsyncSession, vertical: str, duration_s: float, *, further: bool = False) -> float:
    """Seconds of work for `duration_s` seconds of audio, at the median pace of the product's recent jobs.

    `further`: for another assessment of a transcript, which needs neither ASR nor diarization.
    """
    work_s = func.extract("epoch", col(Job.finished_at) - col(Job.started_at))
    recent = (
        select((work_s / col(Job.duration_s)).label("pace"))
        .where(col(Job.vertical) == vertical, col(Job.state) == JobState.COMPLETED, col(Job.duration_s) > 0)
        .where(col(Job.original_id).is_not(None) if further else col(Job.original_id).is_(None))
        .order_by(col(Job.created_at).desc())
        .limit(RECENT_JOBS)
        .subquery()
    )
    pace = (await session.exec(select(func.percentile_cont(0.5).within_group(recent.c.pace)))).one()
    return duration_s * float(pace if pace is not None else DEFAULT_PACE * (FURTHER_SHARE if further else 1))
