"""A replica's reports: every second, and at once when something changes or another replica needs its memory."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from deployments.replica.pool_client import PoolClient
from serve_app.model_pool.admission import MemoryRequest, Verdict, replica_topic
from serve_app.model_pool.models import ModelDevice, ModelReplica

HEARTBEAT_S = 1.0


class Reporter:
    """Writes the replica's row, one write at a time: a late report must not overwrite a reservation of memory."""

    def __init__(
        self, client: PoolClient, row: Callable[[], ModelReplica], device: Callable[[], ModelDevice | None]
    ) -> None:
        self._client, self._row, self._device = client, row, device
        self._writing = asyncio.Lock()

    async def report(self) -> bool:
        """Write the state as it is now. Returns whether the replica's eviction was requested."""
        async with self._writing:
            return await self._client.report(self._row(), self._device())

    async def claim(self, request: MemoryRequest, decided: Callable[[Verdict], None], *, may_evict: bool) -> Verdict:
        """Ask for memory. `decided` is called with the verdict before the next report."""
        async with self._writing:
            verdict = await self._client.claim(self._row(), request, may_evict=may_evict)
            decided(verdict)
            return verdict


class Heartbeat:
    """Calls `beat(changed)` every second and after each `wake`, which sets `changed`."""

    def __init__(self, replica_id: str, client: PoolClient, beat: Callable[[bool], Awaitable[None]]) -> None:
        self._topic, self._client, self._beat = replica_topic(replica_id), client, beat
        self._woken = asyncio.Event()
        self._closing = False
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start once; later calls do nothing."""
        if self.task is None:
            self.task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Beat now."""
        self._woken.set()

    def close(self) -> None:
        """End after the present beat."""
        self._closing = True
        self._woken.set()

    async def _run(self) -> None:
        async with self._client.wakeups(self._topic) as self._woken:
            while not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), HEARTBEAT_S)
                changed = self._woken.is_set()
                self._woken.clear()
                await self._beat(changed)
