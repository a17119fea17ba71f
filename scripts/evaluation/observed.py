"""Instruments for measurements: a backend whose calls are intercepted, and a journal in memory."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from deployments.backends import Backend
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ModelRole

Interceptor: TypeAlias = Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]
"""Takes a method's name, the method and its arguments; calls the method and returns its result."""


class ObservedBackend:
    """A backend that calls some of its methods through an interceptor."""

    def __init__(self, backend: Backend, methods: Collection[str], interceptor: Interceptor) -> None:
        self._backend, self._methods, self._interceptor = backend, methods, interceptor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)
        return (lambda *args: self._interceptor(name, method, args)) if name in self._methods else method


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
