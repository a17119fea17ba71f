"""Cursor pagination: newest first, by creation time and id, which never change."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy import tuple_

from serve_app.errors import InvalidField
from serve_app.storage.text import storable

T = TypeVar("T")
INVALID_CURSOR = "Invalid cursor: pass next_cursor unchanged."
LARGEST_ID = (1 << 63) - 1
Limit = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a page: creation time and id of its last row."""

    at: datetime
    id: str

    def cursor(self) -> str:
        """The position as an opaque string."""
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str | None) -> "Position | None":
        """Decode a cursor. None for None. Raises `InvalidField`."""
        if cursor is None:
            return None
        try:
            at, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            position = cls(datetime.fromisoformat(at), str(id_))
        except (ValueError, TypeError, RecursionError):
            raise InvalidField(INVALID_CURSOR, "cursor") from None
        if position.at.tzinfo is None or not storable(position.id):
            raise InvalidField(INVALID_CURSOR, "cursor")
        return position


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, and the cursor of the next page; None on the last page."""

    rows: Sequence[T]
    next_cursor: str | None


def page(rows: Sequence[T], limit: int, position: Callable[[T], Position]) -> Page[T]:
    """Make a page from up to `limit + 1` rows. The extra row only shows that there is a next page."""
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(shown, position(shown[-1]).cursor() if more else None)


def older_than(position: Position | None, at: Any, id_: Any, type_: type[str] | type[int] = str) -> list[Any]:
    """Conditions for the rows older than `position`. Raises `InvalidField` when its id is not a `type_`."""
    if position is None:
        return []
    try:
        last = type_(position.id)
    except ValueError:
        raise InvalidField(INVALID_CURSOR, "cursor") from None
    if isinstance(last, int) and abs(last) > LARGEST_ID:
        raise InvalidField(INVALID_CURSOR, "cursor")
    return [tuple_(at, id_) < (position.at, last)]
