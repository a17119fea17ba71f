"""What the assessment asks of a language model and of an injection tagger."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class WordTags(NamedTuple):
    """Probabilities, 0 to 1, of a word in its sentence or of several words together."""

    injection: float = 0.0
    """The word addresses the assessor instead of the interviewer."""
    work: float = 1.0
    """The word tells of work. Small talk, pleas and self-praise do not."""


class WordTagger(Protocol):
    """Tags words that address the assessor. Deterministic: the same sentences in the same order get the same tags."""

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """Tag each word of each sentence. The words come from `injection.spans.tagger_words`."""
        ...


class LanguageModel(Protocol):
    """A model that writes JSON. Deterministic: the same call gives the same answer.

    A prompt comes in two parts: the context, which many calls share and the model reads once, and the question.
    """

    name: str
    """Public name, shown as the assessment's `model`."""
    writes_prose: bool
    """Whether its free text is good enough to show. Such a model judges by choice; any other must be a `Weigher`."""

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """Return a JSON object that satisfies `schema`: the decoding allows nothing else."""
        ...


class Weigher(LanguageModel, Protocol):
    """A model whose likelihoods can be read. Small models are only good for this."""

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """Mean log-likelihood per token (natural log) of each option as the continuation of the prompt."""
        ...
