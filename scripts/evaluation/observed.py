"""What measurements put around the pipeline: a backend whose work is observed, and a journal that only listens."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from deployments.backends import Backend
from serve_app.pipeline.assessment.ports import Weigher, WordTagger
from serve_app.pipeline.ports import Loading, ModelRole

Around: TypeAlias = Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]
"""Gets a method's name, the method and its arguments, calls it and returns what it returned."""


class TaggingModel(Weigher, WordTagger, Protocol):
    """A model that weighs continuations and tags words."""


class Observed:
    """A backend, some of whose methods are called through `around`."""

    def __init__(self, backend: Backend, methods: Collection[str], around: Around) -> None:
        self._backend, self._methods, self._around = backend, methods, around

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._backend, name)
        return (lambda *args: self._around(name, known, args)) if name in self._methods else known


@dataclass
class Stages:
    """A journal that remembers in memory and recalls nothing."""

    kept: dict[str, Any] = field(default_factory=dict)

    async def recall(self, stage: str, type_: type[Any]) -> Any:  # noqa: ARG002 — the port's signature
        return None

    async def remember(self, stage: str, output: object) -> None:
        self.kept[stage] = output

    async def loading(self, event: Loading) -> None: ...

    async def inference(self, role: ModelRole) -> None: ...

    async def progress(self, role: ModelRole, share: float) -> None: ...
