"""What measurements put around the pipeline: a backend whose work is observed, and a journal that only listens."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from deployments.backends import Backend
from deployments.backends.assessor.assessor import Assessor
from deployments.backends.progress import ProgressReporter
from serve_app.pipeline.assessment.ports import Weigher, WordTagger, WordTags
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ModelRole

Around: TypeAlias = Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]
"""Gets a method's name, the method and its arguments, calls it and returns what it returned."""


class TaggingModel(Weigher, WordTagger, Protocol):
    """A model that weighs continuations and tags words."""


class OpenAssessor:
    """The language model and the tagger of a loaded assessor, in one session for a whole evaluation."""

    def __init__(self, assessor: Assessor) -> None:
        self._session: Any = assessor.model.session(ProgressReporter(lambda _: None))
        self._tagger = assessor.tagger
        self.name, self.writes_prose = self._session.name, self._session.writes_prose

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        return self._tagger.tag_words(sentences, lambda: None)

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        scores: list[float] = self._session.score(context, ask, options)
        return scores

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`."""
        written: dict[str, Any] = self._session.write(context, ask, schema, max_tokens)
        return written


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
