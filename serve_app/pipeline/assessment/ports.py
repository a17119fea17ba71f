"""What the assessment asks of a language model."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class WordTags(NamedTuple):
    """What a word sounds like in its sentence, or words in a row; each from 0 to 1."""

    grader: float = 0.0
    """How likely it is meant for the grader and not for the interviewer."""
    account: float = 1.0
    """How likely it tells of work; small talk, pleas and praise of oneself do not."""


class WordTagger(Protocol):
    """Tags words that address the assessor. Deterministic: the same sentences in the same order get the same tags."""

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """The tags of each word of each sentence. See `injection.spans.as_heard` for the words."""
        ...


class LanguageModel(Protocol):
    """A model that writes JSON. Deterministic: the same call gives the same answer.

    A prompt comes in two parts: the context, which many calls share and which is read once, and what is asked of it.
    """

    name: str
    """Public name, shown as the assessment's `model`."""
    writes_prose: bool
    """Whether its free text is good enough to show. Such models judge by choosing; the others are `Weigher`s."""

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """A JSON object that satisfies `schema` by construction of the decoding."""
        ...


class Weigher(LanguageModel, Protocol):
    """A model whose likelihoods can be read, which is all that small ones are good for."""

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """Mean log-likelihood per token (natural log) of each option as the continuation of the prompt."""
        ...
