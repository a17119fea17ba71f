"""Progress between a model's steps: work that takes longer says that it goes on, and hears that it may stop."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.errors import InferenceFailed
from serve_app.pipeline.ports import Progress

EVERY_S = 0.5
"""Beats closer together than this are dropped: each report crosses processes."""


class Pulse:
    """A `Progress` that can repeat itself, and remembers what it raised to stop the work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._share = 0.0
        self._told_at = time.monotonic()
        self.stopped: Exception | None = None

    def __call__(self, share: float) -> None:
        self._share = share
        self._told_at = time.monotonic()
        try:
            self._progress(share)
        except Exception as exc:
            self.stopped = exc
            raise

    def beat(self) -> None:
        """Report the same share again, unless that was done just now."""
        if time.monotonic() - self._told_at >= EVERY_S:
            self(self._share)


@contextmanager
def pulsing(progress: Progress) -> Iterator[Pulse]:
    """A pulse for one call. What `progress` raised leaves as it was, even through a library's own error handling."""
    pulse = Pulse(progress)
    try:
        yield pulse
    except InferenceFailed:
        if pulse.stopped is not None:
            raise pulse.stopped from None
        raise
