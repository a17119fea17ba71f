"""Times that PostgreSQL can store and Python can read back. PostgreSQL's reach 292,000 years further, and infinity."""

from datetime import UTC, datetime
from typing import Annotated

from psycopg import DataError
from psycopg.types.datetime import TimestamptzLoader
from pydantic import AfterValidator, AwareDatetime

LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""A year before Python's last moment, so that the time can be shown in every time zone."""

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _checked(moment: datetime) -> datetime:
    if moment >= LATEST:
        raise ValueError(f"must be before {LATEST:%Y-%m-%d}")
    return moment


StorableTime = Annotated[AwareDatetime, AfterValidator(_checked)]
"""A time with a time zone, before the year 9999."""


class ClampingLoader(TimestamptzLoader):
    """Reads a time that Python cannot hold as the nearest one that it can: one such row must not break a list."""

    def load(self, data: bytes | bytearray | memoryview) -> datetime:
        """The time of a value in PostgreSQL's text format."""
        try:
            return super().load(data)
        except (DataError, OverflowError):
            text = bytes(data)
            return FIRST if text.endswith(b"BC") or text.startswith(b"-") else LAST
