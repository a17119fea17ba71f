"""The model pool inside one process, without Ray: for benchmarks, evaluation and tests."""

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from deployments.profiles import ModelSpec
from deployments.replica.events import ModelEvent, Result, report
from deployments.replica.lifecycle import Limits
from deployments.replica.pool_client import NoPoolClient, PoolClient
from deployments.replica.replica import Replica
from serve_app.pipeline.ports import Observer
from serve_app.pipeline.types import AudioRef, ModelRequest, ModelRole, Recording

R = TypeVar("R")


class LocalPool:
    """A `ModelPool` with one `Replica` per role, called directly."""

    asr_replicas = 1

    def __init__(
        self, specs: Mapping[ModelRole, ModelSpec], client: PoolClient | None = None, limits: Limits | None = None
    ) -> None:
        self.replicas: dict[ModelRole, Replica] = {
            role: Replica(role, spec, f"{role}-{secrets.token_hex(4)}", client or NoPoolClient(), limits)
            for role, spec in specs.items()
        }

    def share(self, recording: Recording) -> AudioRef:
        """Return the recording itself: all models read the same memory."""
        return recording

    async def run(self, request: ModelRequest[R], observer: Observer) -> R:
        """See `ModelPool.run`."""
        result: R = await result_of(self.replicas[request.role].run(request), request.role, observer)
        return result

    async def warm(self, role: ModelRole, observer: Observer) -> None:
        """See `ModelPool.warm`."""
        await result_of(self.replicas[role].warm(), role, observer)

    async def close(self) -> None:
        """End the worker threads."""
        for replica in self.replicas.values():
            await replica.close()


async def result_of(events: AsyncIterator[ModelEvent], role: ModelRole, observer: Observer) -> Any:
    """Follow one call to its result. Raises the `JobFailure` it ends with."""
    async for event in events:
        if isinstance(event, Result):
            return event.value
        await report(observer, role, event)
    raise AssertionError("a replica ends its stream with a result or a failure")
