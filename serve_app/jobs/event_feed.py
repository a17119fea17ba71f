"""Follow a job's events: replay what is committed, then wait for more until the job is over.

However many follow a job in this process, one task asks the database for all of them.
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

LOOK_EVERY_S = 15.0
"""How long to trust the bus; a message lost by Redis is found after this. A thousand jobs that are followed ask the
database 67 times a second; at 5 s they would 200 times."""
LOOK_EVERY_WITHOUT_BUS_S = 0.5


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as a stream carries it."""

    seq: int
    kind: EventKind
    data: dict[str, Any]
    """`status`, `detail` and `terminal`, which every client reads, then more for those who want it."""

    @property
    def terminal(self) -> bool:
        """Whether the job rests after this event."""
        return bool(self.data["terminal"])


class EventFeeds:
    """The jobs that are followed in this process."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._open: dict[str, _Feed] = {}

    async def follow(self, job_id: str, after: int) -> AsyncIterator[StreamEvent]:
        """Every event of a job newer than `after`, in order and once, ending with the event that ends the job.

        A job that is over and has nothing newer than `after` ends the stream at once.
        """
        feed = self._joined(job_id)
        try:
            await feed.look()
            while True:
                while newer := feed.newer(after):
                    for event in newer:
                        yield _told(event, feed.events[-1])
                        after = event.seq
                if feed.over:
                    return
                await feed.changed()
        finally:
            self._left(job_id, feed)

    async def until_over(self, job_id: str, longest_s: float) -> None:
        """Return when the job is over, or after `longest_s` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                async for _ in self.follow(job_id, 0):
                    pass

    def _joined(self, job_id: str) -> "_Feed":
        feed = self._open.get(job_id)
        if feed is None or feed.ended:  # a job that failed may be retried: that is another feed's matter
            feed = self._open[job_id] = _Feed(self._database, self._bus, job_id)
        feed.readers += 1
        return feed

    def _left(self, job_id: str, feed: "_Feed") -> None:
        feed.readers -= 1
        if not feed.readers:
            feed.stop()
            if self._open.get(job_id) is feed:
                del self._open[job_id]


class _Feed:
    """One job's events so far, and the task that looks for more while anybody reads."""

    def __init__(self, database: Database, bus: Bus, job_id: str) -> None:
        self._database = database
        self._bus = bus
        self._job_id = job_id
        self._woken = asyncio.Event()
        self._answered = asyncio.Event()
        self._failure: Exception | None = None
        self.readers = 0
        self.events: list[JobEvent] = []
        self.over = False
        self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Whether it looks no more."""
        return self.over or self._failure is not None

    def newer(self, after: int) -> list[JobEvent]:
        """What is known and newer than `after`."""
        return self.events[bisect_right(self.events, after, key=lambda event: event.seq) :]

    async def look(self) -> None:
        """Have the database asked after this moment, once for all who call at the same time."""
        self._woken.set()
        await self.changed()

    async def changed(self) -> None:
        """Wait until the database has been asked once more. Raises what asking it raised."""
        await self._answered.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _run(self) -> None:
        async with self._bus.waiting_for(topic(self._job_id)) as self._woken:
            while not self.ended:
                self._woken.clear()
                answered, self._answered = self._answered, asyncio.Event()
                await self._look()
                answered.set()
                if not self.ended:
                    await self._wait()
        self._answered.set()

    async def _look(self) -> None:
        """Ask the database for what is newer than what is known."""
        try:
            async with self._database.transaction() as session:
                new = await queries.events_after(session, self._job_id, self.events[-1].seq if self.events else 0)
                gone = not new and await queries.newest_event(session, self._job_id) is None
        except Exception as error:  # noqa: BLE001 - raised to all who read
            self._failure = error
            return
        self.events += new
        self.over = gone or _ends(self.events[-1])

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(
                self._woken.wait(), LOOK_EVERY_S if self._bus.connected else LOOK_EVERY_WITHOUT_BUS_S
            )


def _told(event: JobEvent, newest: JobEvent) -> StreamEvent:
    # A failed job that was retried went on: its failure ends nothing for those who read it later.
    common = {"status": event.status, "detail": event.detail, "terminal": _ends(event) and event.seq == newest.seq}
    return StreamEvent(
        event.seq, event.kind, common | {"seq": event.seq, "at": event.created_at.isoformat()} | event.data
    )


def _ends(event: JobEvent) -> bool:
    return event.kind == EventKind.STATUS and event.status in TERMINAL
