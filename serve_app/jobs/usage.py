"""An account's usage: jobs, audio and credits by day, key, product and state.

Every job counts on the UTC day on which it was accepted, also for credits that came back later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, case, cast, func, literal_column
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import InvalidField
from serve_app.jobs.models import Job
from serve_app.keys.models import ApiKey

MAX_DAYS = 366
DEFAULT_DAYS = 30
MAX_ROWS = 10_000


class Grouping(StrEnum):
    """What the rows are grouped by, in the names of a job's fields."""

    DAY = "day"
    KEY_ID = "key_id"
    VERTICAL = "vertical"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days, the first and the last included."""

    first: date
    last: date

    @classmethod
    def read(cls, first: date | None, last: date | None) -> "Period":
        """The period from `first` to `last`. Without them it ends today and has 30 days.

        Raises `InvalidField` for a period that ends before it begins or has more than 366 days.
        """
        last = last or datetime.now(UTC).date()
        first = first or last - timedelta(days=DEFAULT_DAYS - 1)
        days = (last - first).days + 1
        if days < 1:
            raise InvalidField(f"'from' ({first}) is after 'to' ({last}). Send an earlier 'from'.", "from")
        if days > MAX_DAYS:
            raise InvalidField(f"The period has {days} days. Send at most {MAX_DAYS}.", "from")
        return cls(first, last)

    def contains(self, moment: Mapped[datetime]) -> ColumnElement[bool]:
        """The condition that `moment` lies in the period."""
        begin = datetime.combine(self.first, time.min, UTC)
        end = datetime.combine(self.last + timedelta(days=1), time.min, UTC)
        return (moment >= begin) & (moment < end)


COLUMNS: dict[Grouping, Any] = {
    Grouping.DAY: cast(func.timezone(literal_column("'UTC'"), col(Job.created_at)), Date),
    Grouping.KEY_ID: col(Job.key_id),
    Grouping.VERTICAL: col(Job.vertical),
    Grouping.STATUS: col(Job.state),
}
SUMS: dict[str, Any] = {
    "jobs": func.count(),
    "audio_s": func.sum(case((col(Job.original_id).is_(None), col(Job.duration_s)), else_=0.0)),
    "credits_charged": func.sum(col(Job.credits)),
    "credits_returned": func.sum(col(Job.credits_returned)),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """A table of usage: its columns, and its rows as dicts of them."""

    columns: list[str]
    rows: list[dict[str, Any]]


async def get_usage(
    session: AsyncSession, account_id: str, period: Period, by: Sequence[Grouping], vertical: str | None = None
) -> Usage:
    """Return a row for each combination of `by` that has jobs, oldest day first, with `SUMS`.

    A row grouped by key has the key's name, too. With `vertical`, only that product counts. Raises `InvalidField` when
    there are more than 10,000 rows.
    """
    groups: dict[str, Any] = {name.value: COLUMNS[name] for name in Grouping if name in by}
    if Grouping.KEY_ID in by:
        groups["key_name"] = col(ApiKey.name)
    columns = groups | SUMS
    mine = [col(Job.account_id) == account_id, period.contains(col(Job.created_at))]
    if vertical is not None:
        mine.append(col(Job.vertical) == vertical)
    query: Any = (
        select(*(column.label(name) for name, column in columns.items()))
        .select_from(Job)
        .join(ApiKey, col(ApiKey.id) == col(Job.key_id), isouter=True)
        .where(*mine)
        .group_by(*groups.values())
        .having(func.count() > 0)  # without groups, a period without jobs would have one row
        .order_by(*groups.values())
        .limit(MAX_ROWS + 1)
    )
    found = (await session.exec(query)).all()
    if len(found) > MAX_ROWS:
        raise InvalidField(f"There are more than {MAX_ROWS} rows. Group by fewer columns or ask for fewer days.", "by")
    return Usage(list(columns), [_row(columns, values) for values in found])


def _row(columns: Iterable[str], values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(columns, values, strict=True))
    row["audio_s"] = round(row["audio_s"], 1)
    return row
