"""Cursor pages: newest first, by a key that never moves."""

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
NOT_OURS = "'cursor' is not one of ours; take it from next_cursor as it is."
LARGEST_ID = (1 << 63) - 1
Limit = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: creation time and id of its last row."""

    at: datetime
    id: str

    def cursor(self) -> str:
        """An opaque string that leads back here."""
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str | None) -> "Position | None":
        """The position behind a cursor. Raises `InvalidField`."""
        if cursor is None:
            return None
        try:
            at, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            position = cls(datetime.fromisoformat(at), str(id_))
        except (ValueError, TypeError, RecursionError):
            raise InvalidField(NOT_OURS, "cursor") from None
        if position.at.tzinfo is None or not storable(position.id):
            raise InvalidField(NOT_OURS, "cursor")
        return position


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and where to go on."""

    rows: Sequence[T]
    next_cursor: str | None


def page(rows: Sequence[T], limit: int, position: Callable[[T], Position]) -> Page[T]:
    """A page out of `limit + 1` rows: the extra one only tells that there is more."""
    more = len(rows) > limit
    shown = rows[:limit]
    return Page(shown, position(shown[-1]).cursor() if more else None)


def older_than(position: Position | None, at: Any, id_: Any, type_: type[str] | type[int] = str) -> list[Any]:
    """Conditions for rows after `position`, newest first. Raises `InvalidField` when its id is not a `type_`."""
    if position is None:
        return []
    try:
        last = type_(position.id)
    except ValueError:
        raise InvalidField(NOT_OURS, "cursor") from None
    if isinstance(last, int) and abs(last) > LARGEST_ID:
        raise InvalidField(NOT_OURS, "cursor")
    return [tuple_(at, id_) < (position.at, last)]
