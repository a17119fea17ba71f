"""Deliver: claim what is due, send it, settle it. Runs in every executor process; any of them may die."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from serve_app.errors import Unavailable
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus
from serve_app.webhooks import queue
from serve_app.webhooks.outbox import TOPIC
from serve_app.webhooks.queue import Outcome, Parcel

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Attempts that one process makes at the same time."""
POLL_S = 1.0
"""Longest pause between two reads of the queue: nothing announces that a retry has become due."""
Send = Callable[[Parcel], Awaitable[Outcome]]


class Deliverer:
    """Empties the queue of deliveries. `send` makes one attempt (`sending.Sender`); it must end within `lease_s`."""

    def __init__(self, database: Database, bus: Bus, send: Send, lease_s: float) -> None:
        self._database = database
        self._bus = bus
        self._send = send
        self._lease_s = lease_s
        self._attempts: set[asyncio.Task[None]] = set()

    async def run_forever(self) -> None:
        """Deliver what is due until canceled. A read of the queue that fails is logged; the next one tries again."""
        async with self._bus.waiting_for(TOPIC) as woken:
            while True:
                woken.clear()
                try:
                    for attempt in await self._start_due():
                        attempt.add_done_callback(lambda _: woken.set())  # it has freed a slot and its job's next event
                except Unavailable as outage:
                    log.warning("the queue of webhooks cannot be read: %s", outage)
                except Exception:
                    log.exception("the queue of webhooks could not be read; the next try follows")
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), POLL_S)

    async def deliver_due(self) -> int:
        """Make one attempt at everything that is due now. Returns the number of attempts."""
        attempts = await self._start_due()
        await asyncio.gather(*attempts)
        return len(attempts)

    async def _start_due(self) -> list[asyncio.Task[None]]:
        free = AT_ONCE - len(self._attempts)
        if free <= 0:
            return []
        async with self._database.transaction() as session:
            parcels = await queue.claim_due(session, free, self._lease_s)
        started = [asyncio.create_task(self._attempt(parcel)) for parcel in parcels]
        for attempt in started:
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        return started

    async def _attempt(self, parcel: Parcel) -> None:
        try:
            outcome = await self._send(parcel)
            async with self._database.transaction() as session:
                await queue.settle(session, parcel, outcome)
        except Unavailable as outage:  # its lease ends, and it is sent again
            log.warning("event %s to endpoint %s was not settled: %s", parcel.event.id, parcel.endpoint.id, outage)
        except Exception:
            log.exception("event %s to endpoint %s was not settled", parcel.event.id, parcel.endpoint.id)
