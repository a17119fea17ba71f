"""One replica of one model: serves calls, and reports in the same stream.

The constructor never raises and loads nothing: a constructor that raises three times on the first deploy leaves a Serve
deployment dead until it is redeployed. `lifecycle.py` decides when weights are loaded and unloaded.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from deployments.profiles import ModelSpec
from deployments.replica.events import CallAccepted, Failed, Inference, ModelEvent, Progressed, Result
from deployments.replica.lifecycle import Limits, WeightsLifecycle
from deployments.replica.pool_client import PoolClient
from serve_app.errors import InferenceFailed, JobFailure
from serve_app.pipeline.ports import Loading, Progress
from serve_app.pipeline.types import ModelRequest, ModelRole

log = logging.getLogger(__name__)


class WorkCanceled(Exception):
    """Raised inside a backend by its progress callback, to stop work whose caller has left."""


class Replica:
    """Serves calls to one backend in order of arrival: one at a time, or as many as its spec allows `at_once`."""

    def __init__(
        self, role: ModelRole, spec: ModelSpec, replica_id: str, client: PoolClient, limits: Limits | None = None
    ) -> None:
        self._weights = WeightsLifecycle(role, spec, replica_id, client, limits or Limits())
        self._turns = asyncio.Semaphore(spec.at_once)
        self._constructed_at = time.monotonic()

    async def warm(self) -> AsyncGenerator[ModelEvent, None]:
        """Load the weights if they are not in memory. Takes free memory only: a prefetch never evicts a model."""
        yield CallAccepted(time.monotonic() - self._constructed_at)
        try:
            async with aclosing(self._weights.until_warm()) as loading:
                async for event in loading:
                    yield event
        except JobFailure as failure:
            yield Failed.of(failure)
            return
        yield Result(None)

    async def run(self, request: ModelRequest[Any]) -> AsyncGenerator[ModelEvent, None]:
        """Run a request on the loaded backend."""
        yield CallAccepted(time.monotonic() - self._constructed_at)
        with self._weights.use():
            try:
                async with aclosing(self._run(request)) as events:
                    async for event in events:
                        yield event
            except JobFailure as failure:
                yield Failed.of(failure)

    async def heartbeat(self) -> None:
        """Report to the registry."""
        await self._weights.heartbeat()

    async def close(self) -> None:
        """Deregister, and end the worker thread once it is free."""
        await self._weights.close()

    async def _run(self, request: ModelRequest[Any]) -> AsyncGenerator[ModelEvent, None]:
        async with aclosing(self._until_my_turn()) as loading:
            async for event in loading:
                yield event
        try:
            yield Inference()
            async with aclosing(self._work(request)) as events:
                async for outcome in events:
                    yield outcome
        finally:
            self._turns.release()

    async def _until_my_turn(self) -> AsyncGenerator[Loading, None]:
        """Return once this call holds its turn and the weights are in memory."""
        self._weights.usage.waiting += 1
        try:
            async with aclosing(self._weights.until_warm()) as loading:
                async for event in loading:
                    yield event
            await self._turns.acquire()
        finally:
            self._weights.usage.waiting -= 1

    async def _work(self, request: ModelRequest[Any]) -> AsyncGenerator[ModelEvent, None]:
        loop, events, stop = asyncio.get_running_loop(), asyncio.Queue[ModelEvent](), threading.Event()

        def progress(share: float) -> None:
            if stop.is_set():
                raise WorkCanceled
            loop.call_soon_threadsafe(events.put_nowait, Progressed(share))

        def work() -> None:
            loop.call_soon_threadsafe(events.put_nowait, self._outcome(request, progress))

        working = self._weights.in_thread(work)
        try:
            while True:
                event = await events.get()
                yield event
                if isinstance(event, Result | Failed):
                    return
        finally:
            stop.set()
            await asyncio.wait({working})  # a canceled call keeps its turn and the weights until the thread is free

    def _outcome(self, request: ModelRequest[Any], progress: Progress) -> ModelEvent:
        backend = self._weights.backend
        assert backend is not None
        try:
            return Result(backend.run(request, progress))
        except WorkCanceled:
            return Failed.of(InferenceFailed("The work was canceled."))
        except JobFailure as failure:
            return Failed.of(failure)
        except Exception:
            log.exception("%s failed on an input", self._weights.name)
            return Failed.of(InferenceFailed())
