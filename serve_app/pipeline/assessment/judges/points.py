"""Judge by points: how many of the points that the rubric names does the answer make?

A point counts by the share of its words that the answer holds. Words of the question count half: repeating the question
says little. On 1,152 graded answers of Mohler's short-answer data this share ranks with Spearman 0.60, cosine of TF-IDF
vectors with 0.55, MiniLM sentence embeddings with 0.46, and one human grader with the other 0.57. Words match by stem
and by letters, so a recogniser's or another country's spelling costs nothing. Names and fillers add nothing.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from serve_app.pipeline.assessment.judges.judgement import Judgement
from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.words import content_stems, similarity
from serve_app.pipeline.types import Competency

QUESTION_WORD_WEIGHT = 0.5
"""Weight of a word that the question already holds; 0.25 and 0.5 rank alike (0.60), 0 and 1 worse (0.58)."""
MIN_SIMILARITY = 0.5
"""Trigram similarity (Dice) from which two words may be the same word, spelt differently."""
FULL_SHARE = 0.5
"""Share of a point's words that counts as the whole point: people use other words, and graders know it."""


def judge_by_points(competency: Competency, passages: Sequence[Passage]) -> Judgement:
    """How many of the competency's points all passages make together. Rests on the passage that makes most of them.

    Asks no model, so nothing can vary.
    """
    pairs = [(passage.question, passage.answer) for passage in passages]
    level = level_of(competency.points, pairs)
    alone = [level_of(competency.points, [pair]) for pair in pairs]
    inside = 1 - 2 * abs(level - round(level))  # 1 in the middle of what rounds to this score, 0 at its border
    return Judgement(round(level), round(inside, 2), 0, passages[alone.index(max(alone))])


def level_of(points: Iterable[str], passages: Sequence[tuple[str, str]]) -> float:
    """From 1 (no point made) to 5 (all made). Takes at least one point and one (question, answer).

    A point counts where it is made best: in an interview of short questions, each answer makes another point.
    """
    read = [(content_stems(question), content_stems(answer)) for question, answer in passages]
    made = [
        min(1.0, max(word_share(content_stems(point), *passage) for passage in read) / FULL_SHARE) for point in points
    ]
    return 1 + 4 * sum(made) / len(made)


def word_share(point: AbstractSet[str], asked: AbstractSet[str], said: AbstractSet[str]) -> float:
    """Weighted share of a point's words that were said, 0 to 1."""
    weights = {word: QUESTION_WORD_WEIGHT if word in asked else 1.0 for word in point}
    made = sum(weight * _match(word, said) for word, weight in weights.items())
    return made / sum(weights.values()) if weights else 0.0


def _match(word: str, said: AbstractSet[str]) -> float:
    nearest = max((similarity(word, other) for other in said), default=0.0)
    return nearest if nearest >= MIN_SIMILARITY else 0.0
