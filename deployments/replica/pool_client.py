"""What a replica tells the registry and asks of the ledger.

Nothing here raises: a lost report costs a status line, an exception would cost the warm weights. While the database is
away nobody is admitted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from deployments.replica.memory import Evict, Holding, Load, Verdict, Wait, Wanted, decide
from serve_app.model_pool import admission, registry
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """What earlier loads of a model took; None before the first."""

    seconds: float | None = None
    footprint_mib: int | None = None


class PoolClient(Protocol):
    """Where a replica's state goes, and where it asks for room."""

    async def state(self, row: ModelReplica, device: ModelDevice | None) -> bool:
        """The replica's present state, being its heartbeat too. True when somebody asked it to leave."""
        ...

    async def claim(self, row: ModelReplica, wanted: Wanted, *, may_evict: bool) -> Verdict:
        """Ask for room on `row.place`; `Load` and `Evict` reserve it in the replica's name."""
        ...

    async def stay(self, replica_id: str) -> None:
        """A request to leave was answered."""
        ...

    async def freed(self, place: str) -> None:
        """There may be room for others now."""
        ...

    def woken(self, topic: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set when `topic` is published; it may never be, so wait with a timeout."""
        ...

    async def loaded(self, load: ModelLoad) -> None:
        """A finished load."""
        ...

    async def history(self, model: str) -> History:
        """What loads of a model took lately."""
        ...

    async def gone(self, replica_id: str) -> None:
        """The replica is shutting down."""
        ...


class NoPoolClient:
    """For a process that nobody watches and that shares its memory with nobody, such as a benchmark."""

    async def state(self, row: ModelReplica, device: ModelDevice | None) -> bool:  # noqa: ARG002 - the port's signature
        """Nobody asks anybody to leave."""
        return False

    async def claim(self, row: ModelReplica, wanted: Wanted, *, may_evict: bool) -> Verdict:  # noqa: ARG002 - as above
        """There is always room."""
        return Load()

    async def stay(self, replica_id: str) -> None:
        """Do nothing."""

    async def freed(self, place: str) -> None:
        """Do nothing."""

    @asynccontextmanager
    async def woken(self, topic: str) -> AsyncIterator[asyncio.Event]:  # noqa: ARG002 - the port's signature
        """Nobody publishes."""
        yield asyncio.Event()

    async def loaded(self, load: ModelLoad) -> None:
        """Do nothing."""

    async def history(self, model: str) -> History:  # noqa: ARG002 - the port's signature
        """Nothing is known."""
        return History()

    async def gone(self, replica_id: str) -> None:
        """Do nothing."""


class DatabasePoolClient:
    """Rows in the registry's tables; the bus, where there is one, makes others look at once."""

    def __init__(self, database: Database, bus: Bus | None = None) -> None:
        self._database = database
        self._bus = bus

    async def state(self, row: ModelReplica, device: ModelDevice | None) -> bool:
        """Write the row."""
        async with _quietly("report"), self._database.transaction() as session:
            if device is not None:
                await admission.measured(session, device)
            return await registry.report(session, row)
        return False

    async def claim(self, row: ModelReplica, wanted: Wanted, *, may_evict: bool) -> Verdict:
        """Decide under the device's lock, so that the last room is given once."""
        async with _quietly("ask for room"), self._database.transaction() as session:
            await admission.lock(session, row.place)
            holdings = [_holding(other) for other in await admission.others(session, row.place, row.replica_id)]
            verdict = decide(wanted, holdings, may_evict=may_evict)
            await self._write_down(session, row, wanted, verdict)
            return verdict
        return Wait(wanted.total_mib)

    async def _write_down(self, session: AsyncSession, row: ModelReplica, wanted: Wanted, verdict: Verdict) -> None:
        row.held_mib = wanted.total_mib if isinstance(verdict, Load | Evict) else wanted.held_mib
        await registry.report(session, row)
        if isinstance(verdict, Evict):
            await admission.ask_to_leave(session, verdict.replica_ids)

    async def stay(self, replica_id: str) -> None:
        """Clear the request."""
        async with _quietly("answer a request to leave"), self._database.transaction() as session:
            await admission.stay(session, replica_id)

    async def freed(self, place: str) -> None:
        """Wake those who wait for room."""
        if self._bus:
            await self._bus.publish([admission.room_topic(place)])

    @asynccontextmanager
    async def woken(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """Follow the bus."""
        if self._bus is None:
            yield asyncio.Event()
            return
        async with self._bus.waiting_for(topic) as event:
            yield event

    async def loaded(self, load: ModelLoad) -> None:
        """Keep the load for the statistics."""
        async with _quietly("record a load"), self._database.transaction() as session:
            await registry.record_load(session, load)

    async def history(self, model: str) -> History:
        """The p50 of the latest loads, and the most memory one of them took."""
        async with _quietly("read the load history"), self._database.transaction() as session:
            p50 = await registry.usual_load_s(session, model)
            return History(p50, await admission.measured_footprint(session, model))
        return History()

    async def gone(self, replica_id: str) -> None:
        """Delete the row and give the connections back."""
        async with _quietly("retire"), self._database.transaction() as session:
            await registry.retire(session, replica_id)
        await self._database.close()


def _holding(row: ModelReplica) -> Holding:
    idle = row.state is ModelState.WARM and row.in_flight == 0
    leaving = row.state is ModelState.EVICTING or (idle and row.evict_requested_at is not None)
    release = max(0, row.held_mib - row.residual_mib)
    return Holding(row.replica_id, row.held_mib, release, admission.idle_since(row) if idle else None, leaving)


@asynccontextmanager
async def _quietly(what: str) -> AsyncIterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see the module's docstring
        log.warning("could not %s: %s", what, error)
