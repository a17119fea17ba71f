"""The assessor backend: the assessment flow over a grader or a language model, a question matcher and a tagger."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from deployments.backends import Loadable, LoadProgress
from deployments.backends.assessor.injection_tagger import InjectionTagger
from deployments.backends.assessor.question_matcher import QuestionMatcher
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter, reporting
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.ports import AnswerGrader, LanguageModel, WordTags
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import Assessment, AssessmentRequest, Competency, TokenUsage


class Session(Protocol):
    """A model during one assessment. It alone holds what belongs to that assessment."""

    usage: TokenUsage

    def close(self) -> None:
        """Drop all that was read of the interview."""
        ...


class LanguageSession(LanguageModel, Session, Protocol):
    """A language model during one assessment."""


class GradingSession(AnswerGrader, Session, Protocol):
    """A grader during one assessment."""


class SessionModel(Loadable, Protocol):
    """A model that opens a session per assessment."""

    def session(self, progress: ProgressReporter) -> LanguageSession | GradingSession:
        """Open a session. Raises `InferenceFailed` before `load`."""
        ...


class Assessor:
    """Runs `AssessmentRequest`s. Holds no state of a call: calls may run side by side where the model allows it."""

    def __init__(self, model: SessionModel) -> None:
        self.name, self.device = model.name, model.device
        self.model = model
        self.tagger = InjectionTagger()
        self.matcher = QuestionMatcher()

    def weight_bytes(self) -> int:
        """See `Loadable.weight_bytes`."""
        return self.model.weight_bytes() + self.tagger.weight_bytes()

    def load(self, progress: LoadProgress) -> None:
        """See `Loadable.load`."""
        if self.tagger.is_loaded:  # the last to be loaded, the first to go
            return
        total = self.weight_bytes()
        self.model.load(lambda loaded, _: progress(loaded, total))
        try:
            with job_failures(self.name):
                self.matcher.load()
                self.tagger.load()
        except BaseException:
            self.unload()
            raise
        progress(total, total)

    def unload(self) -> None:
        """See `Loadable.unload`."""
        self.tagger.unload()
        self.matcher.unload()
        self.model.unload()

    def run(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `Backend.run`. Raises `InferenceFailed` and `VramUnavailable`."""
        with reporting(progress) as reporter:
            session = self.model.session(reporter)
            try:
                assessment = assess(request, session, _Reader(self, reporter), reporter)
                return replace(assessment, usage=session.usage)
            finally:
                session.close()


class _Reader:
    """Tagger and matcher during one assessment. See `InterviewReader`."""

    def __init__(self, assessor: Assessor, progress: ProgressReporter) -> None:
        self._assessor, self._progress = assessor, progress

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        with job_failures(self._assessor.name):
            return self._assessor.tagger.tag_words(sentences, self._progress.repeat)

    def match(self, competencies: Sequence[Competency], questions: Sequence[str]) -> list[list[bool | None]]:
        """See `QuestionMatcher.match`."""
        with job_failures(self._assessor.name):
            return self._assessor.matcher.match(competencies, questions, self._progress.repeat)
