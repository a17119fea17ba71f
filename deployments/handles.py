"""The only place that calls `.remote()`: the model pool and the dispatcher over Serve handles."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import ray
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.replica.events import CallAccepted, Result, report
from serve_app.errors import InferenceFailed, Interrupted, VramUnavailable
from serve_app.pipeline.ports import Observer
from serve_app.pipeline.types import AudioRef, ModelRequest, ModelRole, Recording

Handle: TypeAlias = DeploymentHandle[Any]
R = TypeVar("R")
log = logging.getLogger(__name__)


class HandlePool:
    """A `ModelPool` whose models are Serve deployments."""

    def __init__(
        self,
        handles: Mapping[ModelRole, Handle],
        placement_deadline_s: float,
        asr_replicas: int = 1,
        on_start: Callable[[ModelRole, float], None] = lambda _role, _seconds: None,
    ) -> None:
        self._handles = handles
        self._deadline_s = placement_deadline_s
        self.asr_replicas = asr_replicas
        self._on_start = on_start

    def share(self, recording: Recording) -> AudioRef:
        """Put a recording into the object store; replicas on this node read it without a copy."""
        return ray.put(recording)

    async def run(self, request: ModelRequest[R], observer: Observer) -> R:
        """See `ModelPool.run`."""
        result: R = await self._call(request.role, "run", (request,), observer)
        return result

    async def warm(self, role: ModelRole, observer: Observer) -> None:
        """See `ModelPool.warm`."""
        await self._call(role, "warm", (), observer)

    async def _call(self, role: ModelRole, method: str, args: tuple[Any, ...], observer: Observer) -> Any:
        """Follow one call's events to its result.

        Raises the replica's `JobFailure`; `VramUnavailable` when no replica took the call before the deadline: Ray
        waits for a free GPU fraction for ever, without an error; `Interrupted` when the replica died.
        """
        # By reference: in throughput mode Serve would send recordings by value in gRPC messages of at most 4 MiB.
        handle = self._handles[role].options(stream=True, _by_reference=True)
        stream = getattr(handle, method).remote(*args)
        events, called_at = aiter(stream), time.monotonic()
        try:
            try:
                event = await asyncio.wait_for(anext(events), self._deadline_s)
            except TimeoutError:
                raise VramUnavailable from None
            waited_s = time.monotonic() - called_at
            if isinstance(event, CallAccepted) and event.replica_age_s < waited_s:  # the process started after the call
                self._on_start(role, waited_s)
            while not isinstance(event, Result):
                await report(observer, role, event)
                event = await anext(events)
        except (RayError, RayServeException) as error:
            log.warning("%s died during a call: %s", role, type(error).__name__)
            raise Interrupted(f"The {role} process died during the job.") from error
        except StopAsyncIteration:
            raise InferenceFailed from None
        finally:
            with suppress(RayError, RayServeException):  # raised again where the call never reached a replica
                stream.cancel()  # no effect on a finished call
        return event.value


class HandleDispatcher:
    """A `Dispatcher` that calls the Executor deployment, so that Ray's own queue and autoscaler see the load."""

    def __init__(self, executor: Handle) -> None:
        self._executor = executor
        self._notifications: set[asyncio.Task[None]] = set()
        self._prefetching: asyncio.Task[None] | None = None

    async def notify(self) -> None:
        """Call the executor without waiting for it."""
        task = self._detached(self._notify())
        self._notifications.add(task)
        task.add_done_callback(self._notifications.discard)

    async def prefetch(self) -> None:
        """Ask for the models, unless such a request is under way."""
        if self._prefetching is None or self._prefetching.done():
            self._prefetching = self._detached(self._prefetch())

    def _detached(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In an empty context: otherwise Serve ends this call when the client of the HTTP request disconnects.
        return asyncio.create_task(call, context=contextvars.Context())

    async def _prefetch(self) -> None:
        with suppress(RayError, RayServeException):
            await self._executor.prefetch.remote()

    async def _notify(self) -> None:
        try:
            await self._executor.run_next.remote()
        except (RayError, RayServeException) as error:
            log.warning("a notification was lost (%s); the sweeper finds the job", type(error).__name__)
