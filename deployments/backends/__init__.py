"""Model backends by name. Only the replica that runs a backend imports it.

A backend is synchronous. A replica calls it in a worker thread, one call at a time; backends in `SIDE_BY_SIDE` may be
called from several threads. `load` and `unload` may be called repeatedly on one object.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, TypeAlias, cast

from serve_app.pipeline.ports import Progress

LoadProgress: TypeAlias = Callable[[int, int], None]
"""Receives (bytes loaded, bytes in total) while weights load."""


class Loadable(Protocol):
    """A model whose weights come and go."""

    name: str
    """Public name of the model, e.g. `whisper-tiny.en-int8`."""
    device: str
    """`cpu`, `cuda:0` or `remote`; known before the weights are loaded."""

    def weight_bytes(self) -> int:
        """Size of the files `load` reads. Cheap: reads no file."""
        ...

    def load(self, progress: LoadProgress) -> None:
        """Bring the weights into memory. Does nothing when they are there.

        Raises `WeightsUnavailable` when files are missing or altered, `VramUnavailable` when memory runs out.
        """
        ...

    def unload(self) -> None:
        """Release the memory. Does nothing when there is nothing to release."""
        ...


class Backend(Loadable, Protocol):
    """A model that plays a role: it runs that role's request (`serve_app.pipeline.types`)."""

    def run(self, request: Any, progress: Progress) -> Any:
        """Return the request's result. Raises `JobFailure`, and whatever `progress` raises to stop the work."""
        ...


BACKENDS = {
    "faster_whisper": "deployments.backends.asr.faster_whisper:FasterWhisper",
    "pyannote": "deployments.backends.diarizer.pyannote:Pyannote",
    "grader": "deployments.backends.assessor.grader:Grader",
    "transformers_llm": "deployments.backends.assessor.transformers_llm:TransformersLLM",
    "llama_cpp": "deployments.backends.assessor.llama_cpp:LlamaCpp",
    "openai_llm": "deployments.backends.assessor.openai_llm:OpenAILLM",
    "fake_transcriber": "deployments.backends.fake:FakeTranscriber",
    "fake_diarizer": "deployments.backends.fake:FakeDiarizer",
    "fake_assessor": "deployments.backends.fake:FakeAssessor",
}

LANGUAGE_MODELS = {"transformers_llm", "llama_cpp", "openai_llm"}
ASSESSOR_MODELS = LANGUAGE_MODELS | {"grader"}
"""Models that judge. `create` puts assessment flow and injection tagger around them: see `assessor.Assessor`."""
SIDE_BY_SIDE = {"openai_llm"}
"""Backends whose calls may run in several threads: an endpoint batches the requests of all its callers."""
PRELOADS = "RECRUITSCREEN_PRELOADS"
"""Environment variable of a worker process for one kind of backend: the backend's name and a version."""


def preload(backend: str) -> None:
    """Import the library behind `backend` ahead of use. Never raises: `create` reports the same failure."""
    with suppress(Exception):
        import_module(BACKENDS[backend].partition(":")[0])


def create(backend: str, **options: Any) -> Backend:
    """Build the backend called `backend` without loading its weights. Raises `ValueError` with the valid names."""
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}; choose one of {', '.join(sorted(BACKENDS))}")
    module, _, cls = BACKENDS[backend].partition(":")
    built = getattr(import_module(module), cls)(**options)
    if backend in ASSESSOR_MODELS:
        built = import_module("deployments.backends.assessor.assessor").Assessor(built)
    return cast("Backend", built)
