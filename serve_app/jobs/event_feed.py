"""Follow a job's events: replay the committed ones, then wait for more until the job is over.

Reviews of a completed job follow its terminal event: who connects later reads them, too.

One task per job reads the database for all readers in this process.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from serve_app.jobs import queries
from serve_app.jobs.lifecycle import TERMINAL, topic
from serve_app.jobs.models import EventKind, JobEvent
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

POLL_S = 15.0
"""Longest time without a read while the bus is connected: an event whose message Redis lost is found after this. A
thousand followed jobs then read the database 67 times a second; at 5 s they would 200 times."""
POLL_WITHOUT_BUS_S = 0.5


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event in the form that streams send."""

    seq: int
    kind: EventKind
    data: dict[str, Any]
    """`status`, `detail` and `terminal` for every client, `seq` and `at`, and further fields by kind of event."""

    @property
    def terminal(self) -> bool:
        """Whether the job is over with this event."""
        return bool(self.data["terminal"])


class EventFeeds:
    """The feeds of all jobs that are followed in this process."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._open: dict[str, _Feed] = {}

    async def follow(self, job_id: str, after: int) -> AsyncIterator[StreamEvent]:
        """Yield each event of a job newer than `after` once, in order, until the job is over.

        Ends at once when the job is over and has no event newer than `after`.
        """
        feed = self._join(job_id)
        try:
            await feed.refresh()
            while True:
                while newer := feed.newer(after):
                    for event in newer:
                        yield _to_stream_event(event, feed.state)
                        after = event.seq
                if feed.over:
                    return
                await feed.changed()
        finally:
            self._leave(job_id, feed)

    async def until_over(self, job_id: str, longest_s: float) -> None:
        """Return when the job is over, or after `longest_s` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                async for _ in self.follow(job_id, 0):
                    pass

    def _join(self, job_id: str) -> "_Feed":
        feed = self._open.get(job_id)
        if feed is None or feed.ended:  # a failed job may be retried: its next events need a new feed
            feed = self._open[job_id] = _Feed(self._database, self._bus, job_id)
        feed.readers += 1
        return feed

    def _leave(self, job_id: str, feed: "_Feed") -> None:
        feed.readers -= 1
        if not feed.readers:
            feed.stop()
            if self._open.get(job_id) is feed:
                del self._open[job_id]


class _Feed:
    """One job's events so far, and the task that reads more while there are readers."""

    def __init__(self, database: Database, bus: Bus, job_id: str) -> None:
        self._database = database
        self._bus = bus
        self._job_id = job_id
        self._woken = asyncio.Event()
        self._read_done = asyncio.Event()
        self._failure: Exception | None = None
        self.readers = 0
        self.events: list[JobEvent] = []
        self.over = False
        self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Whether the task has stopped reading."""
        return self.over or self._failure is not None

    @property
    def state(self) -> JobEvent:
        """The newest event of a state. Reviews may follow the last one."""
        return next(event for event in reversed(self.events) if event.kind == EventKind.STATUS)

    def newer(self, after: int) -> list[JobEvent]:
        """Events read so far that are newer than `after`."""
        return self.events[bisect_right(self.events, after, key=lambda event: event.seq) :]

    async def refresh(self) -> None:
        """Wait for one read of the database that starts after this call. Concurrent callers share it."""
        self._woken.set()
        await self.changed()

    async def changed(self) -> None:
        """Wait for the next read of the database. Raises the error of that read."""
        await self._read_done.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Stop reading."""
        self._task.cancel()

    async def _run(self) -> None:
        async with self._bus.waiting_for(topic(self._job_id)) as self._woken:
            while not self.ended:
                self._woken.clear()
                done, self._read_done = self._read_done, asyncio.Event()
                await self._read()
                done.set()
                if not self.ended:
                    await self._wait()
        self._read_done.set()

    async def _read(self) -> None:
        """Read the events that are newer than the known ones."""
        try:
            async with self._database.transaction() as session:
                new = await queries.events_after(session, self._job_id, self.events[-1].seq if self.events else 0)
                gone = not new and await queries.newest_event(session, self._job_id) is None
        except Exception as error:  # noqa: BLE001 - raised in every reader
            self._failure = error
            return
        self.events += new
        self.over = gone or _ends(self.state)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), POLL_S if self._bus.connected else POLL_WITHOUT_BUS_S)


def _to_stream_event(event: JobEvent, newest_state: JobEvent) -> StreamEvent:
    # A failed job that was retried went on: its failure does not end a later stream.
    ends = _ends(event) and event.seq == newest_state.seq
    common = {"status": event.status, "detail": event.detail, "terminal": ends}
    return StreamEvent(
        event.seq, event.kind, common | {"seq": event.seq, "at": event.created_at.isoformat()} | event.data
    )


def _ends(event: JobEvent) -> bool:
    return event.kind == EventKind.STATUS and event.status in TERMINAL
