"""What the pipeline asks of models. Remote replicas, backends in one process and fakes all stand behind these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from serve_app.pipeline.types import WHOLE, Assessment, AssessmentRequest, Diarization, Part, Recording, Transcription

ModelRole = Literal["asr", "diarizer", "assessor"]
ROLES: tuple[ModelRole, ...] = ("asr", "diarizer", "assessor")

AudioRef: TypeAlias = Any
"""A recording that was shared once: a `Recording` in one process, an object reference across replicas."""

Progress: TypeAlias = Callable[[float], None]
"""Told the finished share of a model's work, 0 to 1. May raise to stop it: this is also how work is canceled."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A model is on its way into memory."""

    role: ModelRole
    bytes_loaded: int
    bytes_total: int
    expected_s: float | None
    """Seconds that loads of this model took lately; None before the first."""


class Observer(Protocol):
    """Told, in order, what the models of one job report of themselves."""

    async def loading(self, event: Loading) -> None:
        """Weights are being read."""
        ...

    async def inference(self, role: ModelRole) -> None:
        """A model has begun to work on the input."""
        ...

    async def progress(self, role: ModelRole, share: float) -> None:
        """A model has finished `share` (0 to 1) of its work."""
        ...


class Transcriber(Protocol):
    """Speech to words."""

    async def transcribe(self, audio: AudioRef, language: str | None, part: Part = WHOLE) -> Transcription:
        """Return the words of `audio`, or of a part of it. `language` is an ISO 639-1 code, or None to detect it.

        The parts' words, one after the other, are those of the whole.

        Raises `JobFailure`.
        """
        ...


class Diarizer(Protocol):
    """Speech to speakers."""

    async def diarize(self, audio: AudioRef, num_speakers: int | None) -> Diarization:
        """Return who spoke when. `num_speakers` is a hint; None lets the clustering decide.

        Raises `JobFailure`.
        """
        ...


class Assessor(Protocol):
    """A transcript and a rubric to a scored assessment."""

    async def assess(self, request: AssessmentRequest) -> Assessment:
        """Return the assessment; every score rests on checked evidence.

        Raises `JobFailure`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one job, bound to its observer."""

    transcriber: Transcriber
    diarizer: Diarizer
    assessor: Assessor


class ModelPool(Protocol):
    """Where models live."""

    @property
    def asr_replicas(self) -> int:
        """Replicas that may transcribe at once; long recordings are split over as many."""
        ...

    def share(self, recording: Recording) -> AudioRef:
        """Put a recording where every model can read it without a copy of its own."""
        ...

    def models(self, observer: Observer) -> Models:
        """The models, reporting to `observer`."""
        ...

    async def warm(self, role: ModelRole, observer: Observer) -> None:
        """Return when `role` is loaded, so that its load runs beside other work. Raises `JobFailure`."""
        ...
