"""What the pipeline asks of a model pool, and what a pool reports. Ray handles, one process and fakes implement it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from serve_app.pipeline.types import AudioRef, ModelRequest, ModelRole, Recording

R = TypeVar("R")

Progress: TypeAlias = Callable[[float], None]
"""Receives the finished share of a model's work, 0 to 1. Raises to stop the work: this is how a cancel arrives."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A model is being loaded into memory."""

    role: ModelRole
    bytes_loaded: int
    bytes_total: int
    expected_s: float | None
    """Median seconds of this model's recent loads; None before the first."""


class Observer(Protocol):
    """Receives, in order, what the models of one job report."""

    async def loading(self, event: Loading) -> None:
        """Weights are being read."""
        ...

    async def inference(self, role: ModelRole) -> None:
        """A model has begun to work on the input."""
        ...

    async def progress(self, role: ModelRole, share: float) -> None:
        """A model has finished `share` (0 to 1) of its work."""
        ...


class ModelPool(Protocol):
    """One model per role."""

    @property
    def asr_replicas(self) -> int:
        """Replicas that may transcribe at once; a long recording is split over as many."""
        ...

    def share(self, recording: Recording) -> AudioRef:
        """Put a recording where every model can read it without a copy of its own."""
        ...

    async def run(self, request: ModelRequest[R], observer: Observer) -> R:
        """Run a request on the model of its role and report to `observer`. Raises `JobFailure`."""
        ...

    async def warm(self, role: ModelRole, observer: Observer) -> None:
        """Load the model of `role`, so that its load runs beside other work. Raises `JobFailure`."""
        ...
