"""Models of the evaluation: a loaded assessor's parts as one model, and a cache of its answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from deployments.backends.assessor.assessor import Assessor
from deployments.backends.progress import ProgressReporter
from serve_app.pipeline.assessment.ports import Weigher, WordTagger, WordTags


def ignore_progress(*_: object) -> None:
    """Report progress to nobody."""


class TaggingModel(Weigher, WordTagger, Protocol):
    """A language model that also tags words."""


class AssessorModel:
    """The language model and the injection tagger of a loaded assessor, in one session for a whole evaluation."""

    def __init__(self, assessor: Assessor) -> None:
        self._session: Any = assessor.model.session(ProgressReporter(ignore_progress))
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


class CachedModel:
    """Answers each question once: an attack that changes no prompt then costs nothing."""

    def __init__(self, model: TaggingModel, file: Path | None = None) -> None:
        """Start from the answers in `file`, if there is one. `save` writes them back."""
        self.name, self.writes_prose = model.name, model.writes_prose
        self._model = model
        self._file = file
        self._tags: dict[tuple[str, ...], list[WordTags]] = {}
        self._answers: dict[str, Any] = json.loads(file.read_text("utf-8")) if file and file.is_file() else {}

    def save(self) -> None:
        """Write the answers to the file, so that an interrupted evaluation can continue."""
        if self._file:
            self._file.write_text(json.dumps(self._answers), "utf-8")

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        new = list({tuple(words) for words in sentences} - self._tags.keys())
        self._tags.update(zip(new, self._model.tag_words(new), strict=True))
        return [self._tags[tuple(words)] for words in sentences]

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        key = json.dumps([context, ask, list(options)])
        if key not in self._answers:
            self._answers[key] = self._model.score(context, ask, options)
        return cast("list[float]", self._answers[key])

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`."""
        key = json.dumps([context, ask, schema, max_tokens])
        if key not in self._answers:
            self._answers[key] = self._model.write(context, ask, schema, max_tokens)
        return cast("dict[str, Any]", self._answers[key])
