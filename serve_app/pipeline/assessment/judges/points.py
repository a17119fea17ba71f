"""Judge by points: how many of the rubric's points the answer makes.

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
"""Share of a point's words that counts as the whole point: people paraphrase, and graders accept it."""


def judge_by_points(competency: Competency, passages: Sequence[Passage]) -> Judgement:
    """Score the points that all passages make together, and name the passage, and its sentence, that make most of them.

    Calls no model, so the same passages always get the same score.
    """
    pairs = [(passage.question, passage.answer) for passage in passages]
    level = level_of(competency.points, pairs)
    alone = [level_of(competency.points, [pair]) for pair in pairs]
    inside = 1 - 2 * abs(level - round(level))  # 1 in the middle of what rounds to this score, 0 at its border
    score, passage = round(level), passages[alone.index(max(alone))]
    evidence = max(
        (sentence for sentence in passage.sentences if sentence.trusted),
        key=lambda sentence: level_of(competency.points, [(passage.question, sentence.text)]),
        default=None,
    )
    return Judgement(score, round(inside, 2), score, score, passage, evidence)


def level_of(points: Iterable[str], passages: Sequence[tuple[str, str]]) -> float:
    """Return 1 (no point made) to 5 (all made). Takes at least one point and one (question, answer).

    Each point counts in the answer that makes it best: in an interview of short questions, answers share the points.
    """
    read = [(content_stems(question), content_stems(answer)) for question, answer in passages]
    made = [
        min(1.0, max(word_share(content_stems(point), *passage) for passage in read) / FULL_SHARE) for point in points
    ]
    return 1 + 4 * sum(made) / len(made)


def word_share(point: AbstractSet[str], question: AbstractSet[str], answer: AbstractSet[str]) -> float:
    """Return the weighted share, 0 to 1, of a point's words in the answer."""
    weights = {word: QUESTION_WORD_WEIGHT if word in question else 1.0 for word in point}
    made = sum(weight * _match(word, answer) for word, weight in weights.items())
    return made / sum(weights.values()) if weights else 0.0


def _match(word: str, answer: AbstractSet[str]) -> float:
    nearest = max((similarity(word, other) for other in answer), default=0.0)
    return nearest if nearest >= MIN_SIMILARITY else 0.0
