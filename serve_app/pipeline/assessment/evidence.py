"""Evidence: the sentence of a passage that supports a score, chosen by the model from a shortlist."""

from collections.abc import Sequence
from typing import Any

from serve_app.pipeline.assessment.passages import Passage, sentence_relevance
from serve_app.pipeline.assessment.ports import LanguageModel
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency

SHORTLIST = 4
"""Sentences that the model chooses from."""


def choose_evidence(competency: Competency, passage: Passage, model: LanguageModel) -> Sentence | None:
    """Choose one sentence of the passage; None when it has none. The schema allows only numbers of the shortlist."""
    shortlist = sorted(passage.sentences, key=lambda sentence: -sentence_relevance(competency, sentence))[:SHORTLIST]
    if len(shortlist) < 2:
        return shortlist[0] if shortlist else None
    chosen = model.write("", _prompt(competency, passage, shortlist), _schema(len(shortlist)), 16)
    return shortlist[int(chosen["sentence"]) - 1]


def _prompt(competency: Competency, passage: Passage, shortlist: Sequence[Sentence]) -> str:
    numbered = "\n".join(f"{number}. {sentence.text}" for number, sentence in enumerate(shortlist, start=1))
    return (
        f"Question in a job interview: {passage.question}\nSentences of the answer:\n{numbered}\n"
        f"Which sentence says most about this: {competency.description} Answer with its number as JSON."
    )


def _schema(count: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"sentence": {"enum": list(range(1, count + 1))}},
        "required": ["sentence"],
        "additionalProperties": False,
    }
