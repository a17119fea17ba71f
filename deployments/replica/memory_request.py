"""Asks admission for the memory of a load: how much, how often, and how much more after running out of memory."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from deployments.profiles import ModelSpec
from deployments.replica.heartbeat import Reporter
from deployments.replica.memory import Meter
from deployments.replica.pool_client import PoolClient
from serve_app.errors import VramUnavailable
from serve_app.model_pool.admission import Evict, Load, MemoryRequest, TooBig, Verdict, memory_topic
from serve_app.model_pool.status import LoadHistory

BACK_OFF_S = (0.25, 2.0)
"""First and longest pause between two requests; a wake-up usually ends it sooner."""
OOM_GROWTH = 1.5
"""After a load ran out of memory the next request is this much larger, so that idle models are evicted for it."""


class MemoryRequests:
    """The requests of one replica, and what it has reserved."""

    def __init__(self, spec: ModelSpec, client: PoolClient, reporter: Reporter, budget_mib: int | None) -> None:
        self.history = LoadHistory()
        self.reserved_mib = 0
        self.refusal: VramUnavailable | None = None
        """Why the latest request was not granted; None while none waits."""
        self.requested_at: datetime | None = None
        """Start of the wait for memory."""
        self._growth = 1.0
        self._spec, self._client, self._reporter, self._budget_mib = spec, client, reporter, budget_mib

    async def recall(self) -> None:
        """Read what earlier loads needed."""
        self.history = await self._client.load_history(self._spec.name)

    async def ask(self, meter: Meter | None, *, may_evict: bool) -> bool:
        """Whether a load may begin now. Raises `VramUnavailable` when it exceeds the device's budget."""
        if meter is not None:
            request = self._request(meter)
            verdict = await self._reporter.claim(
                request, lambda verdict: self._reserve(verdict, request), may_evict=may_evict
            )
            if isinstance(verdict, TooBig):
                raise VramUnavailable(
                    f"{self._spec.name} needs {request.total_mib} MiB; models may take {request.budget_mib}."
                )
            if not isinstance(verdict, Load):
                self._refuse(
                    VramUnavailable(
                        f"No memory for {self._spec.name} ({request.total_mib} MiB). Retry the job; it is free."
                    )
                )
                return False
        self.refusal, self.requested_at = None, None
        return True

    async def wait(self, meter: Meter | None, pause_s: float) -> None:
        """Return after `pause_s`, or sooner when memory was freed on the device."""
        async with self._client.wakeups(memory_topic(meter.device_id if meter else "")) as freed:
            with suppress(TimeoutError):
                await asyncio.wait_for(freed.wait(), pause_s)

    def out_of_memory(self, error: Exception) -> None:
        """A load ran out of memory: ask for more next time."""
        self.reserved_mib, self._growth = 0, self._growth * OOM_GROWTH
        self._refuse(error if isinstance(error, VramUnavailable) else VramUnavailable())

    def end(self) -> None:
        """The load has ended, and with it the reservation."""
        self.reserved_mib, self.refusal, self.requested_at, self._growth = 0, None, None, 1.0

    def budget_mib(self, meter: Meter) -> int:
        """What models may hold of the device."""
        return self._budget_mib or meter.default_budget_mib()

    def _request(self, meter: Meter) -> MemoryRequest:
        expected = self.history.footprint_mib or self._spec.footprint_mib or 1
        budget = self.budget_mib(meter)
        total = expected if self._growth == 1 else min(budget, int(expected * self._growth))
        held = meter.held_mib()
        return MemoryRequest(max(total, held), held, budget, meter.memory().free_mib)

    def _reserve(self, verdict: Verdict, request: MemoryRequest) -> None:
        self.reserved_mib = request.total_mib if isinstance(verdict, Load | Evict) else 0

    def _refuse(self, refusal: VramUnavailable) -> None:
        self.refusal = refusal
        self.requested_at = self.requested_at or datetime.now(UTC)


def pauses() -> Iterator[float]:
    """Seconds between requests: doubled each time, up to the longest."""
    pause_s, longest_s = BACK_OFF_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)
