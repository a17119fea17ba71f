"""Whether one model's weights are in memory, and how they get there and out again: `cold → loading → warm → evicting`.

One load or unload at a time, for all callers that wait for it. A load asks the ledger for room first. Idle weights
leave when another replica asks for their room or when nobody has needed them for a while; the process stays.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deployments.backends.failures import is_out_of_memory
from deployments.profiles import ModelSpec
from deployments.replica.memory import Evict, HostMeter, Load, Meter, TooBig, Wanted, give_memory_back, gpu_meter
from deployments.replica.pool_client import History, PoolClient
from serve_app.errors import JobFailure, VramUnavailable, WeightsUnavailable
from serve_app.model_pool.admission import replica_topic, room_topic
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ModelRole

if TYPE_CHECKING:
    from deployments.backends import Backend

LOADING_EVERY_S = 0.5
PULSE_S = 1.0
CLOSE_S = 3.0
"""Longest wait for a load under way when the process is asked to end."""
BACK_OFF_S = (0.25, 2.0)
"""First and longest wait between two looks at the ledger; the bus usually ends it sooner."""
OOM_GROWTH = 1.5
"""A load that ran out of memory asks for so much more the next time, and idle neighbours leave for it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a replica may take, and for how long."""

    memory_budget_mib: int | None = None
    """Of its device, together with all other models there; None measures the device."""
    reserve_mib: int = 512
    """Left free on a GPU when the budget is measured."""
    room_deadline_s: float = 0.0
    """Longest wait of a call for room; then it ends with `VramUnavailable`."""
    unload_after_s: float | None = None
    """Idle time after which weights leave memory; None keeps them."""


class WeightsLifecycle:
    """Holds one backend. Callers enter `use()`, follow `until_warm()`, and work through `in_thread`."""

    def __init__(self, role: ModelRole, spec: ModelSpec, replica_id: str, reports: PoolClient, limits: Limits) -> None:
        self.role = role
        self.name = spec.name
        self.state = ModelState.COLD
        self.backend: Backend | None = None
        self.waiting = 0
        """Calls whose work has not begun."""
        self._spec, self._id, self._reports, self._limits = spec, replica_id, reports, limits
        self._moving: asyncio.Task[None] | None = None
        self._refused: VramUnavailable | None = None
        self._wanted_since: datetime | None = None
        self._users = 0
        self._callers = 0
        self._running = 0
        self._meter: Meter | None = None
        self._host = HostMeter()
        self._history = History()
        self._growth = 1.0
        self._loaded_bytes = (0, 0)
        self._footprint_mib: int | None = None
        self._reserved_mib = self._residual_mib = 0
        self._loaded_at: datetime | None = None
        self._last_used: datetime | None = None
        self._idle_from = time.monotonic()
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._pulse: asyncio.Task[None] | None = None
        self._closing = False
        self._threads = self._new_threads()

    # For callers -----------------------------------------------------------------------------------------------------

    @contextmanager
    def use(self) -> Iterator[None]:
        """Keep the weights from being evicted, once they are there."""
        self._users += 1
        self._news.set()
        try:
            yield
        finally:
            self._users -= 1
            self._last_used, self._idle_from = datetime.now(UTC), time.monotonic()
            self._news.set()

    async def until_warm(self) -> AsyncGenerator[Loading, None]:
        """Return when the weights are there. Raises the `JobFailure` that the load ends with.

        Raises `VramUnavailable` when there is no room before this caller's deadline.
        """
        self._start_pulse()
        deadline = time.monotonic() + self._limits.room_deadline_s
        self._callers += 1
        try:
            while self.state is not ModelState.WARM:
                task = self._moving or self._begin(self._load())
                yield Loading(self.role, *self._loaded_bytes, self._history.seconds)
                await asyncio.wait({task}, timeout=LOADING_EVERY_S)
                if task.done():
                    task.result()
                elif self._refused and time.monotonic() >= deadline:
                    raise self._refused
        finally:
            self._callers -= 1
            self._idle_from = time.monotonic()

    def in_thread(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Run `work` in a thread of the model's own, after what is there already."""
        self._running += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._ended)
        return future

    async def heartbeat(self) -> None:
        """Report; leave if asked to, or idle for long enough."""
        self._start_pulse()
        asked = await self._report()
        busy = self._users or self._callers or self._running or self._moving
        if self.state is ModelState.WARM and not busy and (asked or self._idle_long()):
            self._begin(self._unload())
        elif asked and self.state is not ModelState.EVICTING:
            await self._reports.stay(self._id)  # work came first, or the weights had left already

    async def close(self) -> None:
        """Leave the registry and end the worker thread once it is free."""
        self._closing = True
        self._news.set()
        if under_way := {task for task in (self._pulse, self._moving) if task is not None}:
            # Not canceled: a cancellation inside a query may surface as a database error, and is lost then.
            await asyncio.wait(under_way, timeout=CLOSE_S)
        await self._reports.gone(self._id)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Loading ---------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        self.state, self._loaded_bytes = ModelState.LOADING, (0, self._spec.weight_bytes())
        try:
            began = time.monotonic()
            await asyncio.gather(self.in_thread(self._build), self._recall(), self._report())
            build_s = time.monotonic() - began
            load_s = await self._read_where_there_is_room()
        except JobFailure:
            await self._gone_cold()
            raise
        except Exception as error:
            log.exception("loading %s failed", self.name)
            await self._gone_cold()
            raise WeightsUnavailable from error
        await self._loaded(build_s + load_s)

    async def _recall(self) -> None:
        self._history = await self._reports.history(self.name)

    def _build(self) -> None:
        # In the thread: building imports the model library, which takes seconds and would block health checks.
        if self.backend is None:
            self.backend = self._spec.build()
            device = self.backend.device
            self._meter = self._host if device == "cpu" else gpu_meter(device, self._limits.reserve_mib)

    async def _read_where_there_is_room(self) -> float:
        """Wait for room, load, return the seconds the load took. Out of memory means: wait for more room."""
        pause_s, longest_s = BACK_OFF_S
        while True:
            if await self._admitted():
                began = time.monotonic()
                try:
                    await self.in_thread(self._read)
                except Exception as error:
                    if not (isinstance(error, VramUnavailable) or is_out_of_memory(error)):
                        raise
                    await self._out_of_memory(error)
                else:
                    self._growth = 1.0
                    return time.monotonic() - began
            await self._room_may_be_free(pause_s)
            if self._refused and not self._callers:
                raise self._refused  # nobody waits for this room any more
            pause_s = min(2 * pause_s, longest_s)

    async def _admitted(self) -> bool:
        if self._meter is None:
            return True
        wanted = self._wanted(self._meter)
        async with self._writing:
            verdict = await self._reports.claim(self._row(), wanted, may_evict=self._users > 0)
            self._reserved_mib = wanted.total_mib if isinstance(verdict, Load | Evict) else 0
        if isinstance(verdict, TooBig):
            raise VramUnavailable(f"{self.name} needs {wanted.total_mib} MiB; models may take {wanted.budget_mib}.")
        if isinstance(verdict, Load):
            self.state, self._refused, self._wanted_since = ModelState.LOADING, None, None
            return True
        self._no_room(VramUnavailable(f"No room for {self.name} ({wanted.total_mib} MiB). Retry the job; it is free."))
        return False

    def _wanted(self, meter: Meter) -> Wanted:
        expected = self._history.footprint_mib or self._spec.footprint_mib or 1
        budget = self._limits.memory_budget_mib or meter.default_budget_mib()
        total = expected if self._growth == 1 else min(budget, int(expected * self._growth))
        held = meter.held_mib()
        return Wanted(max(total, held), held, budget, meter.memory().free_mib)

    def _no_room(self, refusal: VramUnavailable) -> None:
        self.state, self._refused = ModelState.COLD, refusal
        self._wanted_since = self._wanted_since or datetime.now(UTC)

    async def _out_of_memory(self, error: Exception) -> None:
        log.warning("%s ran out of memory while loading: %s", self.name, error)
        await self.in_thread(self._drop)
        self._reserved_mib, self._growth = 0, self._growth * OOM_GROWTH
        self._no_room(error if isinstance(error, VramUnavailable) else VramUnavailable())
        await self._report()

    async def _room_may_be_free(self, pause_s: float) -> None:
        topic = room_topic(self._meter.place if self._meter else "")
        async with self._reports.woken(topic) as freed:
            with suppress(TimeoutError):
                await asyncio.wait_for(freed.wait(), pause_s)

    def _read(self) -> None:
        assert self.backend is not None
        self.backend.load(self._on_bytes)

    def _on_bytes(self, loaded: int, total: int) -> None:
        self._loaded_bytes = (loaded, total)

    async def _loaded(self, seconds: float) -> None:
        assert self.backend is not None
        if self._meter:
            self._footprint_mib = max(1, self._meter.held_mib())
        self.state, self._reserved_mib = ModelState.WARM, 0
        self._loaded_at, self._idle_from = datetime.now(UTC), time.monotonic()
        load = ModelLoad(
            role=self.role, name=self.name, device=self.backend.device, seconds=seconds,
            bytes=self._loaded_bytes[1], footprint_mib=self._footprint_mib,
        )  # fmt: skip
        await asyncio.gather(self._reports.loaded(load), self._report())

    # Unloading -------------------------------------------------------------------------------------------------------

    async def _unload(self) -> None:
        self.state = ModelState.EVICTING
        await self._report()
        await self.in_thread(self._drop)
        await self._gone_cold()
        await self._reports.stay(self._id)

    def _drop(self) -> None:
        """Unload, whatever state the backend is in; one that cannot is thrown away."""
        try:
            if self.backend is not None:
                self.backend.unload()
        except Exception:
            log.exception("unloading %s failed", self.name)
            self.backend = None
        give_memory_back()

    async def _gone_cold(self) -> None:
        self.state, self._reserved_mib, self._refused, self._wanted_since = ModelState.COLD, 0, None, None
        self._growth = 1.0
        if self._meter:
            self._residual_mib = self._meter.held_mib()
        await self._report()
        await self._freed()

    def _idle_long(self) -> bool:
        after_s = self._limits.unload_after_s
        return after_s is not None and time.monotonic() - self._idle_from >= after_s

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=self._spec.at_once, thread_name_prefix=self.role)

    # Reporting -------------------------------------------------------------------------------------------------------

    def _begin(self, move: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._moving = asyncio.create_task(move)
        self._moving.add_done_callback(self._moved)
        return self._moving

    def _moved(self, task: asyncio.Task[None]) -> None:
        self._moving = None
        if not task.cancelled():
            task.exception()  # whoever waits for it raises it; if all have left, nobody misses it

    def _ended(self, _: asyncio.Future[None]) -> None:
        self._running -= 1
        self._idle_from = time.monotonic()
        self._news.set()

    def _start_pulse(self) -> None:
        if self._pulse is None:
            self._pulse = asyncio.create_task(self._beat_forever())

    async def _beat_forever(self) -> None:
        """Report every second, and at once when calls come or go or another replica asks for the room."""
        async with self._reports.woken(replica_topic(self._id)) as self._news:
            while not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), PULSE_S)
                something_happened = self._news.is_set()
                self._news.clear()
                await self.heartbeat()
                if something_happened and not self._users:
                    await self._freed()

    async def _freed(self) -> None:
        if self._meter:
            await self._reports.freed(self._meter.place)

    async def _report(self) -> bool:
        async with self._writing:
            return await self._reports.state(self._row(), self._device())

    def _device(self) -> ModelDevice | None:
        if self._meter is None or self.backend is None:
            return None
        memory = self._meter.memory()
        budget = self._limits.memory_budget_mib or self._meter.default_budget_mib()
        return ModelDevice(
            place=self._meter.place, device=self.backend.device, total_mib=memory.total_mib,
            free_mib=memory.free_mib, budget_mib=budget,
        )  # fmt: skip

    def _row(self) -> ModelReplica:
        loaded, total = self._loaded_bytes
        return ModelReplica(
            replica_id=self._id, role=self.role, name=self.name, state=self.state, pid=os.getpid(),
            device=self.backend.device if self.backend else "unknown",
            place=self._meter.place if self._meter else "",
            footprint_mib=self._footprint_mib,
            held_mib=max(self._reserved_mib, self._meter.held_mib()) if self._meter else 0,
            residual_mib=self._residual_mib,
            bytes_loaded=loaded, bytes_total=total, in_flight=self._users, waiting=self.waiting,
            loaded_at=self._loaded_at, last_used_at=self._last_used, room_wanted_at=self._wanted_since,
        )  # fmt: skip
