"""What the pool did over the last day: loads of each model by hour, and the process starts that calls waited for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median, quantiles
from typing import Any

from sqlalchemy import func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.model_pool.models import ModelLoad, ProcessStart

HOURS = 24
MAX_ROWS = 20_000
"""A load of 4 s each, without a pause, is 21,600 a day."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How many there were, and how long they took in seconds. None without any."""

    count: int
    p50: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Waits":
        """Their number, median and 95th percentile."""
        if not seconds:
            return cls(0)
        p95 = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
        return cls(len(seconds), median(seconds), p95)


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """A model's cold starts of the last 24 hours."""

    name: str
    loads: Waits
    """Loads of the weights."""
    starts: Waits
    """Starts of a process, before the load."""
    by_hour: tuple[int, ...]
    """Loads in each hour, the oldest first. The last one is the hour that ends now."""


async def cold_starts(session: AsyncSession, names: Sequence[str]) -> list[ColdStarts]:
    """The cold starts of the last 24 hours of each model that is named, in that order."""
    now = (await session.exec(select(func.now()))).one()
    loads = await _latest(session, ModelLoad, names)
    starts = await _latest(session, ProcessStart, names)
    return [
        ColdStarts(
            name=name,
            loads=Waits.of([seconds for each, seconds, _ in loads if each == name]),
            starts=Waits.of([seconds for each, seconds, _ in starts if each == name]),
            by_hour=_by_hour(now, [at for each, _, at in loads if each == name]),
        )
        for name in dict.fromkeys(names)
    ]


async def _latest(
    session: AsyncSession, table: type[ModelLoad | ProcessStart], names: Sequence[str]
) -> Sequence[tuple[str, float, datetime]]:
    recent: Any = col(table.at) > func.now() - text(f"interval '{HOURS} hours'")
    columns = (col(table.name), col(table.seconds), col(table.at))
    query: Any = select(*columns).where(col(table.name).in_(names), recent).order_by(col(table.at).desc())
    rows: Sequence[tuple[str, float, datetime]] = (await session.exec(query.limit(MAX_ROWS))).all()
    return rows


def _by_hour(now: datetime, moments: Sequence[datetime]) -> tuple[int, ...]:
    counts = [0] * HOURS
    for moment in moments:
        ago = int((now - moment).total_seconds() // 3600)
        counts[HOURS - 1 - min(max(ago, 0), HOURS - 1)] += 1
    return tuple(counts)
