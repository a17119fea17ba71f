"""Models of the evaluation: a loaded assessor's parts as one model, and a cache of its answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from deployments.backends.assessor.assessor import Assessor
from deployments.backends.progress import ProgressReporter
from serve_app.pipeline.assessment.ports import AnswerGrader, Grade, InterviewReader, Weigher, WordTags
from serve_app.pipeline.types import Competency


def ignore_progress(*_: object) -> None:
    """Report progress to nobody."""


class ReadingLanguageModel(Weigher, InterviewReader, Protocol):
    """A language model that also tags words and matches questions."""


class ReadingGrader(AnswerGrader, InterviewReader, Protocol):
    """A grader that also tags words and matches questions."""


ReadingModel: TypeAlias = ReadingLanguageModel | ReadingGrader


def model_of(assessor: Assessor, file: Path | None = None) -> "CachedModel | CachedGrader":
    """Return the parts of a loaded assessor as one model, which answers each question once."""
    session: Any = assessor.model.session(ProgressReporter(ignore_progress))
    if isinstance(session, AnswerGrader):
        return CachedGrader(session, AssessorReader(assessor))
    return CachedModel(AssessorModel(assessor), file)


class AssessorReader:
    """The injection tagger and the question matcher of a loaded assessor."""

    def __init__(self, assessor: Assessor) -> None:
        self._tagger, self._matcher = assessor.tagger, assessor.matcher

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        return self._tagger.tag_words(sentences, lambda: None)

    def match(self, competencies: Sequence[Competency], questions: Sequence[str]) -> list[list[bool | None]]:
        """See `QuestionMatcher.match`."""
        return self._matcher.match(competencies, questions, lambda: None)


class AssessorModel(AssessorReader):
    """The language model and the readers of a loaded assessor, in one session for a whole evaluation."""

    def __init__(self, assessor: Assessor) -> None:
        super().__init__(assessor)
        self._session = cast("Any", assessor.model.session(ProgressReporter(ignore_progress)))
        self.name, self.writes_prose = self._session.name, self._session.writes_prose

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        scores: list[float] = self._session.score(context, ask, options)
        return scores

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`."""
        written: dict[str, Any] = self._session.write(context, ask, schema, max_tokens)
        return written


class CachedReader:
    """Tags each sentence and matches each question once."""

    def __init__(self, reader: InterviewReader) -> None:
        self._reader = reader
        self._matches: dict[tuple[str, ...], list[list[bool | None]]] = {}
        self._tags: dict[tuple[str, ...], list[WordTags]] = {}

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        new = list({tuple(words) for words in sentences} - self._tags.keys())
        self._tags.update(zip(new, self._reader.tag_words(new), strict=True))
        return [self._tags[tuple(words)] for words in sentences]

    def match(self, competencies: Sequence[Competency], questions: Sequence[str]) -> list[list[bool | None]]:
        """See `QuestionMatcher.match`."""
        key = (*(competency.slug for competency in competencies), "", *questions)
        if key not in self._matches:
            self._matches[key] = self._reader.match(competencies, questions)
        return self._matches[key]


class CachedGrader(CachedReader):
    """Grades each answer once."""

    def __init__(self, grader: AnswerGrader, reader: InterviewReader) -> None:
        super().__init__(reader)
        self.name, self.fitness = grader.name, grader.fitness
        self._grader = grader
        self._grades: dict[tuple[str, str, tuple[str, ...]], Grade] = {}

    def grade(self, competency: Competency, question: str, sentences: Sequence[str]) -> Grade:
        """See `AnswerGrader.grade`."""
        key = (competency.slug, question, tuple(sentences))
        if key not in self._grades:
            self._grades[key] = self._grader.grade(competency, question, sentences)
        return self._grades[key]

    def save(self) -> None:
        """Do nothing: grades are cheap."""


class CachedModel(CachedReader):
    """Answers each question once: an attack that changes no prompt then costs nothing."""

    def __init__(self, model: ReadingLanguageModel, file: Path | None = None) -> None:
        """Start from the answers in `file`, if there is one. `save` writes them back."""
        super().__init__(model)
        self.name, self.writes_prose = model.name, model.writes_prose
        self._model = model
        self._file = file
        self._answers: dict[str, Any] = json.loads(file.read_text("utf-8")) if file and file.is_file() else {}

    def save(self) -> None:
        """Write the answers to the file, so that an interrupted evaluation can continue."""
        if self._file:
            self._file.write_text(json.dumps(self._answers), "utf-8")

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
