"""Protocols of the assessment's models: the grader, the language model, injection tagger and question matcher."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from serve_app.pipeline.types import Competency, Fitness


class WordTags(NamedTuple):
    """Probabilities, 0 to 1, of one word in its sentence or of several words together."""

    injection: float = 0.0
    """The word addresses the assessor instead of the interviewer."""
    work: float = 1.0
    """The word tells of work. Small conversation, pleas and self-praise do not."""


class WordTagger(Protocol):
    """Tags words that address the assessor. Deterministic: the same sentences in the same order get the same tags."""

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """Tag each word of each sentence. Takes the words that `injection.spans.tagger_words` returns."""
        ...


class QuestionMatcher(Protocol):
    """Tells what the questions of an interview ask for. Deterministic."""

    def match(self, competencies: Sequence[Competency], questions: Sequence[str]) -> list[list[bool | None]]:
        """Return, for each question, whether it asks for each competency of a rubric; None where that is open."""
        ...


class InterviewReader(WordTagger, QuestionMatcher, Protocol):
    """What reads an interview before it is judged."""


class Grade(NamedTuple):
    """What a grader makes of one answer."""

    at_least: tuple[float, ...]
    """Probability, 0 to 1, that the answer is at level 2, 3, 4 and 5 or above."""
    support: tuple[tuple[float, ...], ...]
    """For each of these levels, how much of the grader's attention each sentence has. At most 1 together."""
    tokens: int = 0
    """Tokens read."""


@runtime_checkable
class AnswerGrader(Protocol):
    """A model that knows from graded answers how the levels of a rubric differ. Deterministic."""

    name: str
    """Public name, shown as the assessment's `model`."""
    fitness: Fitness
    """What it was measured at."""

    def grade(self, competency: Competency, question: str, sentences: Sequence[str]) -> Grade:
        """Grade one answer, which is given in sentences. It may be of a rubric that the grader has never seen."""
        ...


class LanguageModel(Protocol):
    """A model that writes JSON. Deterministic: the same call gives the same answer.

    A prompt has two parts: the context, which many calls share and a model reads only once, and the question.
    """

    name: str
    """Public name, shown as the assessment's `model`."""
    writes_prose: bool
    """Whether its free text is shown. Such a model judges by choice; any other must be a `Weigher`."""

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """Return a JSON object that satisfies `schema`. Constrained decoding allows nothing else."""
        ...


AssessorModel: TypeAlias = LanguageModel | AnswerGrader
"""What may play the role of the assessor."""


class Weigher(LanguageModel, Protocol):
    """A language model that also returns likelihoods. Small models judge by these alone."""

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """Mean log-likelihood per token (natural log) of each option as the continuation of the prompt."""
        ...


class Checker(LanguageModel, Protocol):
    """A language model that answers yes/no questions about a text with log-odds."""

    def log_odds(self, context: str, asks: Sequence[str], preamble: str = "") -> list[float]:
        """Return log P(yes) - log P(no) (natural log) of the first word of the answer to each question.

        The prompt is a user's turn of preamble, context and one question. The context is read once for all of them. The
        preamble, such as worked examples, must hold nothing of an interview: what is computed for it is kept between
        interviews.
        """
        ...
