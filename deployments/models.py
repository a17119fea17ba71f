"""The three model deployments: thin Serve classes around a `Replica`."""

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from ray import serve

from deployments.backends import AssessorBackend, Backend, DiarizerBackend, TranscriberBackend
from deployments.profiles import ModelSpec
from deployments.replica.events import ModelEvent
from deployments.replica.lifecycle import Limits
from deployments.replica.pool_client import DatabasePoolClient
from deployments.replica.prestart import leave_successor
from deployments.replica.replica import Replica
from serve_app.pipeline.ports import ModelRole
from serve_app.pipeline.types import WHOLE, AssessmentRequest, Part, Recording
from serve_app.settings import Settings
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

B = TypeVar("B", bound=Backend)


class _Model(Generic[B]):
    """What the three have in common. `check_health` also starts the registry's heartbeat, before any call."""

    role: ModelRole

    def __init__(self, spec: ModelSpec, limits: Limits) -> None:
        spec.preload()  # 0.3 to 5 s; Serve's own handshake with the process runs meanwhile
        replica_id = f"{self.role}-{serve.get_replica_context().replica_id.unique_id}"
        settings = Settings()  # pydantic-settings fills the fields
        self._bus = Bus(settings.redis_url)
        reports = DatabasePoolClient(Database(settings.database_url, self._bus.publish, pool_size=1), self._bus)
        self.replica: Replica[B] = Replica(self.role, spec, replica_id, reports, limits)

    async def warm(self) -> AsyncIterator[ModelEvent]:
        """Load the weights if they are not there."""
        async for event in self.replica.warm():
            yield event

    async def check_health(self) -> None:
        """Report to the registry."""
        await self.replica.heartbeat()

    async def __del__(self) -> None:
        await self.replica.close()
        await self._bus.close()
        await leave_successor()


@serve.deployment(name="ASR")
class ASR(_Model[TranscriberBackend]):
    """Speech to words."""

    role: ModelRole = "asr"

    async def run(self, audio: Recording, language: str | None, part: Part = WHOLE) -> AsyncIterator[ModelEvent]:
        """Transcribe; see `TranscriberBackend`."""
        async for event in self.replica.serve(lambda asr, progress: asr.transcribe(audio, language, progress, part)):
            yield event


@serve.deployment(name="Diarizer")
class Diarizer(_Model[DiarizerBackend]):
    """Speech to speakers."""

    role: ModelRole = "diarizer"

    async def run(self, audio: Recording, num_speakers: int | None) -> AsyncIterator[ModelEvent]:
        """Diarize; see `DiarizerBackend`."""
        async for event in self.replica.serve(lambda backend, progress: backend.diarize(audio, num_speakers, progress)):
            yield event


@serve.deployment(name="Assessor")
class Assessor(_Model[AssessorBackend]):
    """Transcript to assessment."""

    role: ModelRole = "assessor"

    async def run(self, request: AssessmentRequest) -> AsyncIterator[ModelEvent]:
        """Assess; see `AssessorBackend`."""
        async for event in self.replica.serve(lambda backend, progress: backend.assess(request, progress)):
            yield event
