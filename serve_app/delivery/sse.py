"""Follow a job's events: replay what is committed, then wait for more until the job is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from serve_app.jobs import service
from serve_app.jobs.lifecycle import TERMINAL, topic
from serve_app.jobs.models import EventKind, JobEvent
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

LOOK_EVERY_S = 15.0
"""How long to trust the bus; a message lost by Redis is found after this. A thousand silent streams ask the
database 67 times a second; at 5 s they would 200 times."""
LOOK_EVERY_WITHOUT_BUS_S = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a stream carries it."""

    seq: int
    kind: EventKind
    data: dict[str, Any]
    """`status`, `detail` and `terminal`, which every client reads, then more for those who want it."""

    @property
    def terminal(self) -> bool:
        """Whether the job rests after this event."""
        return bool(self.data["terminal"])


async def follow(database: Database, bus: Bus, job_id: str, after: int) -> AsyncIterator[Told]:
    """Every event of a job newer than `after`, in order and once, ending with the event that ends the job.

    A job that is over and has nothing newer than `after` ends the stream at once.
    """
    async with bus.waiting_for(topic(job_id)) as woken:
        while True:
            woken.clear()
            events, over = await _news(database, job_id, after)
            for event in events:
                yield event
                after = event.seq
            if over:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_EVERY_S if bus.connected else LOOK_EVERY_WITHOUT_BUS_S)


async def until_over(database: Database, bus: Bus, job_id: str, longest_s: float) -> None:
    """Return when the job is over, or after `longest_s` seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            async for _ in follow(database, bus, job_id, 0):
                pass


async def _news(database: Database, job_id: str, after: int) -> tuple[list[Told], bool]:
    """What is newer than `after`, and whether the job is over."""
    async with database.transaction() as session:
        events = await service.events_after(session, job_id, after)
        newest = events[-1] if events else await service.newest_event(session, job_id)
    if newest is None:  # the job is gone
        return [], True
    return [_told(event, newest) for event in events], _ends(newest)


def _told(event: JobEvent, newest: JobEvent) -> Told:
    # A failed job that was retried went on: its failure ends nothing for those who read it later.
    common = {"status": event.status, "detail": event.detail, "terminal": _ends(event) and event.seq == newest.seq}
    return Told(event.seq, event.kind, common | {"seq": event.seq, "at": event.created_at.isoformat()} | event.data)


def _ends(event: JobEvent) -> bool:
    return event.kind == EventKind.STATUS and event.status in TERMINAL
