"""The model pool in one process, without Ray: for benchmarks, evaluation and tests."""

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from deployments.profiles import ModelSpec
from deployments.replica.events import ModelEvent, Result, tell
from deployments.replica.lifecycle import Limits
from deployments.replica.pool_client import NoPoolClient, PoolClient
from deployments.replica.replica import Replica
from serve_app.pipeline.ports import AudioRef, ModelRole, Models, Observer
from serve_app.pipeline.types import WHOLE, Assessment, AssessmentRequest, Diarization, Part, Recording, Transcription


class LocalPool:
    """One `Replica` a role, called directly."""

    asr_replicas = 1

    def __init__(
        self, specs: Mapping[ModelRole, ModelSpec], reports: PoolClient | None = None, limits: Limits | None = None
    ) -> None:
        self.replicas: dict[ModelRole, Replica[Any]] = {
            role: Replica(role, spec, f"{role}-{secrets.token_hex(4)}", reports or NoPoolClient(), limits)
            for role, spec in specs.items()
        }

    def share(self, recording: Recording) -> AudioRef:
        """Nothing to do: everybody reads the same memory."""
        return recording

    def models(self, observer: Observer) -> Models:
        """The three models, reporting to `observer`."""
        bound = _Bound(self, observer)
        return Models(transcriber=bound, diarizer=bound, assessor=bound)

    async def warm(self, role: ModelRole, observer: Observer) -> None:
        """Return when `role` is loaded. Raises `JobFailure`."""
        await result_of(self.replicas[role].warm(), role, observer)

    async def close(self) -> None:
        """End the worker threads."""
        for replica in self.replicas.values():
            await replica.close()


class _Bound:
    def __init__(self, pool: LocalPool, observer: Observer) -> None:
        self._replicas = pool.replicas
        self._observer = observer

    async def transcribe(self, audio: AudioRef, language: str | None, part: Part = WHOLE) -> Transcription:
        events = self._replicas["asr"].serve(lambda asr, progress: asr.transcribe(audio, language, progress, part))
        return cast("Transcription", await result_of(events, "asr", self._observer))

    async def diarize(self, audio: AudioRef, num_speakers: int | None) -> Diarization:
        events = self._replicas["diarizer"].serve(lambda who, progress: who.diarize(audio, num_speakers, progress))
        return cast("Diarization", await result_of(events, "diarizer", self._observer))

    async def assess(self, request: AssessmentRequest) -> Assessment:
        events = self._replicas["assessor"].serve(lambda judge, progress: judge.assess(request, progress))
        return cast("Assessment", await result_of(events, "assessor", self._observer))


async def result_of(events: AsyncIterator[ModelEvent], role: ModelRole, observer: Observer) -> Any:
    """Follow one call to its result. Raises the `JobFailure` it ends with."""
    async for event in events:
        if isinstance(event, Result):
            return event.value
        await tell(observer, role, event)
    raise AssertionError("a replica ends its stream with a result or a failure")
