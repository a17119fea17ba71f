"""Instruments for measurements: a backend whose runs are intercepted, and a journal in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from deployments.backends import Backend
from serve_app.pipeline.ports import Loading, Progress
from serve_app.pipeline.types import ModelRequest, ModelRole

Run: TypeAlias = Callable[[ModelRequest[Any], Progress], Any]
Interceptor: TypeAlias = Callable[[Run, ModelRequest[Any], Progress], Any]
"""Takes `Backend.run` and its arguments; calls it and returns its result."""


class ObservedBackend:
    """A backend that runs its requests through an interceptor."""

    def __init__(self, backend: Backend, interceptor: Interceptor) -> None:
        self._backend, self._interceptor = backend, interceptor

    def run(self, request: ModelRequest[Any], progress: Progress) -> Any:
        """See `Backend.run`."""
        return self._interceptor(self._backend.run, request, progress)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


@dataclass
class MemoryJournal:
    """A journal that keeps the stages' outputs in memory and never resumes from one."""

    outputs: dict[str, Any] = field(default_factory=dict)

    async def recall(self, stage: str, type_: type[Any]) -> Any:  # noqa: ARG002 — the port's signature
        return None

    async def remember(self, stage: str, output: object) -> None:
        self.outputs[stage] = output

    async def loading(self, event: Loading) -> None: ...

    async def inference(self, role: ModelRole) -> None: ...

    async def progress(self, role: ModelRole, share: float) -> None: ...
