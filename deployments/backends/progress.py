"""Progress between a model's steps: long work repeats its last report, and learns that it was canceled."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.errors import InferenceFailed
from serve_app.pipeline.ports import Progress

EVERY_S = 0.5
"""Repeated reports closer together than this are dropped: each one crosses processes."""


class ProgressReporter:
    """A `Progress` that can repeat its last report, and keeps the exception that stopped the work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._share = 0.0
        self._reported_at = time.monotonic()
        self.stopped: Exception | None = None

    def __call__(self, share: float) -> None:
        self._share = share
        self._reported_at = time.monotonic()
        try:
            self._progress(share)
        except Exception as exc:
            self.stopped = exc
            raise

    def repeat(self) -> None:
        """Report the same share again, unless a report was made within EVERY_S."""
        if time.monotonic() - self._reported_at >= EVERY_S:
            self(self._share)


@contextmanager
def reporting(progress: Progress) -> Iterator[ProgressReporter]:
    """A reporter for one call. An exception of `progress` leaves unchanged, even where a library wrapped it."""
    reporter = ProgressReporter(progress)
    try:
        yield reporter
    except InferenceFailed:
        if reporter.stopped is not None:
            raise reporter.stopped from None
        raise
