"""The lifecycle of one replica's weights: `cold → loading → warm → evicting → cold`.

One load or unload at a time, shared by all callers that wait for it. A load asks for memory first. Idle weights are
unloaded when another replica needs their memory, or after an idle time; the process stays.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployments.backends import Backend
from deployments.backends.failures import is_out_of_memory
from deployments.profiles import ModelSpec
from deployments.replica.backend_worker import BackendWorker
from deployments.replica.heartbeat import Heartbeat, Reporter
from deployments.replica.memory_request import MemoryRequests, pauses
from deployments.replica.pool_client import PoolClient
from deployments.replica.usage import Usage
from serve_app.errors import JobFailure, VramUnavailable, WeightsUnavailable
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ModelRole

LOADING_EVERY_S = 0.5
"""Interval of the `Loading` events."""
CLOSE_S = 3.0
"""Longest wait for a load under way when the process is asked to end."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a replica may take, and for how long."""

    memory_budget_mib: int | None = None
    """What all models together may hold of a device. None: most of what the device has."""
    reserve_mib: int = 512
    """Left free on a GPU when no budget is set."""
    room_deadline_s: float = 0.0
    """Longest wait of a call for memory; then it ends with `VramUnavailable`."""
    unload_after_s: float | None = None
    """Idle time after which weights are unloaded; None keeps them."""


@dataclass(slots=True)
class _Measured:
    """Measurements of the latest load and unload."""

    footprint_mib: int | None = None
    residual_mib: int = 0
    loaded_at: datetime | None = None


class WeightsLifecycle:
    """The weights of one backend. A call enters `use()`, waits in `until_warm()`, then works `in_thread()`."""

    def __init__(self, role: ModelRole, spec: ModelSpec, replica_id: str, client: PoolClient, limits: Limits) -> None:
        self.role, self.name, self._id, self._limits = role, spec.name, replica_id, limits
        self._spec, self._client = spec, client
        self.state = ModelState.COLD
        self._measured = _Measured()
        self._transition: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(replica_id, client, self._beat)
        self.usage = Usage(self._heartbeat.wake)
        self._worker = BackendWorker(spec, limits.reserve_mib, role)
        self._reporter = Reporter(client, self._row, self._device)
        self._memory = MemoryRequests(spec, client, self._reporter, limits.memory_budget_mib)

    # For callers -----------------------------------------------------------------------------------------------------

    @property
    def backend(self) -> Backend | None:
        """The backend; None before the first load."""
        return self._worker.backend

    def use(self) -> AbstractContextManager[None]:
        """Count a call. Weights in use are never evicted."""
        return self.usage.call()

    async def until_warm(self) -> AsyncGenerator[Loading, None]:
        """Return when the weights are loaded. Raises the `JobFailure` that the load ends with.

        Raises `VramUnavailable` when there is no memory before this caller's deadline.
        """
        self._heartbeat.start()
        deadline = time.monotonic() + self._limits.room_deadline_s
        with self.usage.caller():
            while self.state is not ModelState.WARM:
                task = self._transition or self._begin(self._load())
                yield Loading(self.role, *self._worker.loaded_bytes, self._memory.history.seconds)
                await asyncio.wait({task}, timeout=LOADING_EVERY_S)
                if task.done():
                    task.result()
                elif self._memory.refusal and time.monotonic() >= deadline:
                    raise self._memory.refusal

    def in_thread(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Run `work` in a thread of this replica, after earlier work."""
        self.usage.thread_began()
        future = self._worker.submit(work)
        future.add_done_callback(self.usage.thread_ended)
        return future

    async def heartbeat(self) -> None:
        """Report the state. Then unload idle weights if an eviction was requested or the idle time is over."""
        self._heartbeat.start()
        eviction_requested = await self._reporter.report()
        idle = self.state is ModelState.WARM and not self.usage.busy and self._transition is None
        if idle and (eviction_requested or self._idle_too_long()):
            self._begin(self._unload())
        elif eviction_requested and self.state is not ModelState.EVICTING:
            await self._client.clear_eviction(self._id)  # work came first, or the weights were unloaded already

    async def close(self) -> None:
        """Deregister, and end the threads after their present work."""
        self._heartbeat.close()
        if under_way := {task for task in (self._heartbeat.task, self._transition) if task is not None}:
            # Not canceled: a cancellation inside a query may surface as a database error and be lost.
            await asyncio.wait(under_way, timeout=CLOSE_S)
        await self._client.deregister(self._id)
        self._worker.close()

    # Transitions -----------------------------------------------------------------------------------------------------

    def _begin(self, transition: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._transition = asyncio.create_task(transition)
        self._transition.add_done_callback(self._ended)
        return self._transition

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._transition = None
        if not task.cancelled():
            task.exception()  # callers raise it; marked as retrieved here in case all of them have left

    async def _load(self) -> None:
        self.state, self._worker.loaded_bytes = ModelState.LOADING, (0, self._spec.weight_bytes())
        try:
            began = time.monotonic()
            await asyncio.gather(self.in_thread(self._worker.build), self._memory.recall(), self._reporter.report())
            build_s = time.monotonic() - began
            load_s = await self._load_once_admitted()
        except JobFailure:
            await self._become_cold()
            raise
        except Exception as error:
            log.exception("loading %s failed", self.name)
            await self._become_cold()
            raise WeightsUnavailable from error
        await self._become_warm(build_s + load_s)

    async def _load_once_admitted(self) -> float:
        """Wait for memory, load, and return the seconds of the load. After running out of memory, wait for more."""
        for pause_s in pauses():
            if await self._memory.ask(self._worker.meter, may_evict=self.usage.in_flight > 0):
                self.state = ModelState.LOADING
                began = time.monotonic()
                try:
                    await self.in_thread(self._worker.load)
                except Exception as error:
                    if not (isinstance(error, VramUnavailable) or is_out_of_memory(error)):
                        raise
                    await self._out_of_memory(error)
                else:
                    return time.monotonic() - began
            self.state = ModelState.COLD
            await self._memory.wait(self._worker.meter, pause_s)
            if self._memory.refusal and not self.usage.callers:
                raise self._memory.refusal  # all callers have left
        raise AssertionError("pauses never end")

    async def _out_of_memory(self, error: Exception) -> None:
        log.warning("%s ran out of memory while loading: %s", self.name, error)
        await self.in_thread(self._worker.drop)
        self._memory.out_of_memory(error)
        self.state = ModelState.COLD
        await self._reporter.report()

    async def _become_warm(self, seconds: float) -> None:
        if meter := self._worker.meter:
            self._measured.footprint_mib = max(1, meter.held_mib())
        self.state, self._measured.loaded_at = ModelState.WARM, datetime.now(UTC)
        self._memory.end()
        self.usage.touch()
        load = ModelLoad(
            role=self.role, name=self.name, device=self._worker.device, seconds=seconds,
            bytes=self._worker.loaded_bytes[1], footprint_mib=self._measured.footprint_mib,
        )  # fmt: skip
        await asyncio.gather(self._client.record_load(load), self._reporter.report())

    async def _unload(self) -> None:
        self.state = ModelState.EVICTING
        await self._reporter.report()
        await self.in_thread(self._worker.drop)
        await self._become_cold()
        await self._client.clear_eviction(self._id)

    async def _become_cold(self) -> None:
        self.state = ModelState.COLD
        self._memory.end()
        if meter := self._worker.meter:
            self._measured.residual_mib = meter.held_mib()
        await self._reporter.report()
        await self._notify_freed()

    # Reports ---------------------------------------------------------------------------------------------------------

    async def _beat(self, changed: bool) -> None:  # noqa: FBT001 - the heartbeat's one argument
        await self.heartbeat()
        if changed and not self.usage.in_flight:
            await self._notify_freed()

    async def _notify_freed(self) -> None:
        if meter := self._worker.meter:
            await self._client.notify_freed(meter.device_id)

    def _idle_too_long(self) -> bool:
        after_s = self._limits.unload_after_s
        return after_s is not None and self.usage.idle_s() >= after_s

    def _device(self) -> ModelDevice | None:
        meter = self._worker.meter
        if meter is None or self.backend is None:
            return None
        memory = meter.memory()
        return ModelDevice(
            device_id=meter.device_id, device=self._worker.device, total_mib=memory.total_mib,
            free_mib=memory.free_mib, budget_mib=self._memory.budget_mib(meter),
        )  # fmt: skip

    def _row(self) -> ModelReplica:
        (loaded, total), meter = self._worker.loaded_bytes, self._worker.meter
        return ModelReplica(
            replica_id=self._id, role=self.role, name=self.name, state=self.state, pid=os.getpid(),
            device=self._worker.device, device_id=meter.device_id if meter else "",
            footprint_mib=self._measured.footprint_mib,
            held_mib=max(self._memory.reserved_mib, meter.held_mib()) if meter else 0,
            residual_mib=self._measured.residual_mib,
            bytes_loaded=loaded, bytes_total=total, in_flight=self.usage.in_flight, waiting=self.usage.waiting,
            loaded_at=self._measured.loaded_at, last_used_at=self.usage.last_used_at,
            memory_requested_at=self._memory.requested_at,
        )  # fmt: skip
