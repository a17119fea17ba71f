"""The three model deployments: thin Serve classes around a `Replica`. They differ in their role alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from ray import ObjectRef, serve

from deployments.profiles import ModelSpec
from deployments.replica.events import ModelEvent
from deployments.replica.lifecycle import Limits
from deployments.replica.pool_client import DatabasePoolClient
from deployments.replica.prestart import prestart_successor
from deployments.replica.replica import Replica
from serve_app.pipeline.types import ModelRequest, ModelRole
from serve_app.settings import Settings
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus


class _Model:
    """Serves one role. `check_health` also starts the replica's heartbeat to the registry, before any call."""

    role: ModelRole

    def __init__(self, spec: ModelSpec, limits: Limits) -> None:
        spec.preload()  # imports for 0.3 to 5 s, while Serve's own handshake with the process runs
        replica_id = f"{self.role}-{serve.get_replica_context().replica_id.unique_id}"
        settings = Settings()  # pydantic-settings fills the fields
        self._bus = Bus(settings.redis_url)
        client = DatabasePoolClient(Database(settings.database_url, self._bus.publish, pool_size=1), self._bus)
        self.replica = Replica(self.role, spec, replica_id, client, limits)

    async def run(self, request: ModelRequest[Any]) -> AsyncIterator[ModelEvent]:
        """Run a request. Yields `CallAccepted`, then progress, then `Result` or `Failed`."""
        async for event in self.replica.run(await _with_audio(request)):
            yield event

    async def warm(self) -> AsyncIterator[ModelEvent]:
        """Load the weights if they are not in memory."""
        async for event in self.replica.warm():
            yield event

    async def check_health(self) -> None:
        """Report to the registry."""
        await self.replica.heartbeat()

    async def __del__(self) -> None:
        await self.replica.close()
        await self._bus.close()
        await prestart_successor()


async def _with_audio(request: ModelRequest[Any]) -> ModelRequest[Any]:
    """The request with its recording in place of the object reference. Ray maps the samples without a copy."""
    audio = getattr(request, "audio", None)
    if not isinstance(audio, ObjectRef):
        return request
    filled: ModelRequest[Any] = replace(request, audio=await audio)  # type: ignore[type-var] # every request is a dataclass
    return filled


@serve.deployment(name="ASR")
class ASR(_Model):
    """Speech to words."""

    role: ModelRole = "asr"


@serve.deployment(name="Diarizer")
class Diarizer(_Model):
    """Speech to speaker turns."""

    role: ModelRole = "diarizer"


@serve.deployment(name="Assessor")
class Assessor(_Model):
    """Transcript to assessment."""

    role: ModelRole = "assessor"
