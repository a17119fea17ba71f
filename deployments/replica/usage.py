"""Counts who uses a replica's weights: calls, callers that wait for a load, and threads at work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class Usage:
    """Counters of one replica. `changed` is called when calls come or go and when a thread ends."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.in_flight = 0
        """Calls from their arrival to their end."""
        self.waiting = 0
        """Calls among `in_flight` whose inference has not begun."""
        self.callers = 0
        """Calls and prefetches that wait for a load."""
        self.last_used_at: datetime | None = None
        self._threads = 0
        self._idle_from = time.monotonic()
        self._changed = changed

    @property
    def busy(self) -> bool:
        """Whether anything needs the weights."""
        return bool(self.in_flight or self.callers or self._threads)

    def idle_s(self) -> float:
        """Seconds since the weights were last needed."""
        return time.monotonic() - self._idle_from

    def touch(self) -> None:
        """Restart the idle time."""
        self._idle_from = time.monotonic()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call. Its weights cannot be evicted."""
        self.in_flight += 1
        self._changed()
        try:
            yield
        finally:
            self.in_flight -= 1
            self.last_used_at = datetime.now(UTC)
            self.touch()
            self._changed()

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Count a caller that waits for a load."""
        self.callers += 1
        try:
            yield
        finally:
            self.callers -= 1
            self.touch()

    def thread_began(self) -> None:
        """Count a thread."""
        self._threads += 1

    def thread_ended(self, _: object) -> None:
        """Take a thread off the count. Suits `Future.add_done_callback`."""
        self._threads -= 1
        self.touch()
        self._changed()
