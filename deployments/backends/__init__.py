"""Model backends by name, imported only by the replica that runs them.

A backend is synchronous and single-threaded from its caller's view: a replica calls it in a worker thread, one call at
a time, but for those that are `SIDE_BY_SIDE`. `load` and `unload` may be called again and again on one object.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, TypeAlias, cast

from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import WHOLE, Assessment, AssessmentRequest, Diarization, Part, Recording, Transcription

LoadProgress: TypeAlias = Callable[[int, int], None]
"""Told (bytes loaded, bytes in total) while weights load."""


class Backend(Protocol):
    """What every model can do, whatever its role."""

    name: str
    """Public name of the model, e.g. `whisper-tiny.en-int8`."""
    device: str
    """`cpu` or `cuda:0`; known before the weights are loaded."""

    def weight_bytes(self) -> int:
        """Size of the files `load` reads. Cheap."""
        ...

    def load(self, progress: LoadProgress) -> None:
        """Bring the weights into memory. Does nothing when they are there.

        Raises `WeightsUnavailable` when files are missing or altered, `VramUnavailable` when memory runs out.
        """
        ...

    def unload(self) -> None:
        """Give the memory back. Does nothing when there is nothing to give."""
        ...


class TranscriberBackend(Backend, Protocol):
    """ASR in this process."""

    def transcribe(
        self, audio: Recording, language: str | None, progress: Progress, part: Part = WHOLE
    ) -> Transcription:
        """See `Transcriber.transcribe`."""
        ...


class DiarizerBackend(Backend, Protocol):
    """Diarization in this process."""

    def diarize(self, audio: Recording, num_speakers: int | None, progress: Progress) -> Diarization:
        """See `Diarizer.diarize`."""
        ...


class AssessorBackend(Backend, Protocol):
    """An LLM behind the assessment flow, in this process."""

    def assess(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `Assessor.assess`."""
        ...


BACKENDS = {
    "faster_whisper": "deployments.backends.asr.faster_whisper:FasterWhisper",
    "pyannote": "deployments.backends.diarizer.pyannote:Pyannote",
    "transformers_llm": "deployments.backends.assessor.transformers_llm:TransformersLLM",
    "openai_llm": "deployments.backends.assessor.openai_llm:OpenAILLM",
    "fake_transcriber": "deployments.backends.fake:FakeTranscriber",
    "fake_diarizer": "deployments.backends.fake:FakeDiarizer",
    "fake_assessor": "deployments.backends.fake:FakeAssessor",
}

SIDE_BY_SIDE = {"openai_llm"}
"""Backends whose calls may run in several threads: an endpoint batches the requests of all its callers."""
PRELOADS = "RECRUITSCREEN_PRELOADS"
"""Environment variable of a process for one kind of backend: its name, and a version."""


def preload(backend: str) -> None:
    """Import the library behind `backend` ahead of use. Never raises: `create` meets the same failure and tells."""
    with suppress(Exception):
        import_module(BACKENDS[backend].partition(":")[0])


def create(backend: str, **options: Any) -> Backend:
    """Build the backend called `backend` without loading its weights. Raises `ValueError` with the valid names."""
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; choose one of {', '.join(sorted(BACKENDS))}")
    module, _, cls = BACKENDS[backend].partition(":")
    return cast("Backend", getattr(import_module(module), cls)(**options))
