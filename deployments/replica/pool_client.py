"""A replica's connection to the pool: it reports its state, asks for memory, and is woken.

No method raises: an exception would unload the weights, while a lost report only leaves the status stale. While the
database is away, no load is admitted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from serve_app.model_pool import admission, registry, status
from serve_app.model_pool.admission import Load, MemoryRequest, Verdict, Wait
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica
from serve_app.model_pool.status import LoadHistory
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

log = logging.getLogger(__name__)


class PoolClient(Protocol):
    """What a replica needs of the pool."""

    async def report(self, row: ModelReplica, device: ModelDevice | None) -> bool:
        """Write the replica's state, which is its heartbeat as well. Returns whether its eviction was requested."""
        ...

    async def claim(self, row: ModelReplica, request: MemoryRequest, *, may_evict: bool) -> Verdict:
        """Ask for memory on `row.device_id`. `Load` and `Evict` reserve it for the replica."""
        ...

    async def clear_eviction(self, replica_id: str) -> None:
        """Remove the replica's eviction request: it has unloaded, or declines."""
        ...

    async def notify_freed(self, device_id: str) -> None:
        """Wake replicas that wait for memory on a device."""
        ...

    def wakeups(self, topic: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set when `topic` is published. Wait with a timeout: messages can be lost."""
        ...

    async def record_load(self, load: ModelLoad) -> None:
        """Keep a finished load for the statistics."""
        ...

    async def load_history(self, model: str) -> LoadHistory:
        """Statistics of a model's latest loads."""
        ...

    async def deregister(self, replica_id: str) -> None:
        """Report that the replica shuts down, and close the connections."""
        ...


class NoPoolClient:
    """For a process outside any pool, such as a benchmark: admits every load, reports nothing."""

    async def report(self, row: ModelReplica, device: ModelDevice | None) -> bool:  # noqa: ARG002 - the port's signature
        """Never requests eviction."""
        return False

    async def claim(self, row: ModelReplica, request: MemoryRequest, *, may_evict: bool) -> Verdict:  # noqa: ARG002 - as above
        """Admit the load."""
        return Load()

    async def clear_eviction(self, replica_id: str) -> None:
        """Do nothing."""

    async def notify_freed(self, device_id: str) -> None:
        """Do nothing."""

    @asynccontextmanager
    async def wakeups(self, topic: str) -> AsyncIterator[asyncio.Event]:  # noqa: ARG002 - the port's signature
        """Never set the event."""
        yield asyncio.Event()

    async def record_load(self, load: ModelLoad) -> None:
        """Do nothing."""

    async def load_history(self, model: str) -> LoadHistory:  # noqa: ARG002 - the port's signature
        """Know of no loads."""
        return LoadHistory()

    async def deregister(self, replica_id: str) -> None:
        """Do nothing."""


class DatabasePoolClient:
    """The pool's tables; with a bus, other replicas notice changes at once."""

    def __init__(self, database: Database, bus: Bus | None = None) -> None:
        self._database = database
        self._bus = bus

    async def report(self, row: ModelReplica, device: ModelDevice | None) -> bool:
        """Write the rows of the replica and its device."""
        async with _logged("report"), self._database.transaction() as session:
            if device is not None:
                await registry.upsert_device(session, device)
            return await registry.upsert_replica(session, row)
        return False

    async def claim(self, row: ModelReplica, request: MemoryRequest, *, may_evict: bool) -> Verdict:
        """Decide under the device's lock; see `admission.claim`."""
        async with _logged("ask for memory"), self._database.transaction() as session:
            return await admission.claim(session, row, request, may_evict=may_evict)
        return Wait(request.total_mib)

    async def clear_eviction(self, replica_id: str) -> None:
        """Clear the request in the replica's row."""
        async with _logged("clear the eviction request"), self._database.transaction() as session:
            await admission.clear_eviction(session, replica_id)

    async def notify_freed(self, device_id: str) -> None:
        """Publish on the bus."""
        if self._bus:
            await self._bus.publish([admission.memory_topic(device_id)])

    @asynccontextmanager
    async def wakeups(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """Subscribe on the bus."""
        if self._bus is None:
            yield asyncio.Event()
            return
        async with self._bus.waiting_for(topic) as event:
            yield event

    async def record_load(self, load: ModelLoad) -> None:
        """Insert a row."""
        async with _logged("record a load"), self._database.transaction() as session:
            await registry.record_load(session, load)

    async def load_history(self, model: str) -> LoadHistory:
        """Read the latest loads."""
        async with _logged("read the load history"), self._database.transaction() as session:
            return await status.load_history(session, model)
        return LoadHistory()

    async def deregister(self, replica_id: str) -> None:
        """Retire the replica's row."""
        async with _logged("deregister"), self._database.transaction() as session:
            await registry.retire_replica(session, replica_id)
        await self._database.close()


@asynccontextmanager
async def _logged(action: str) -> AsyncIterator[None]:
    """Log any error instead of raising it; see the module's docstring."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see the module's docstring
        log.warning("could not %s: %s", action, error)
