"""Judge by grader: a model that learnt from graded answers says how likely each level is.

A score is the expected level, rounded. Passages are graded one by one, and the highest counts, as interviewers do with
several answers. Where a question asks for the competency, only the answers to such questions count: a grader gives too
much for a good answer to another question.
"""

import math
from collections.abc import Sequence

from serve_app.pipeline.assessment.judges.judgement import Judgement
from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.passages import Passage, asks_for
from serve_app.pipeline.assessment.ports import AnswerGrader, Grade
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency

RANGE_SHARE = 0.6
"""Probability that the range of levels holds at least. On unseen authors, three quarters of the levels lie inside."""


class GradedJudge:
    """See `Judge`."""

    def __init__(self, grader: AnswerGrader) -> None:
        self._grader = grader

    def judge(self, competency: Competency, passages: Sequence[Passage]) -> Judgement:
        """Return the judgement with the highest expected level."""
        asked = [passage for passage in passages if asks_for(competency, passage)]
        graded = [(passage, self._grade(competency, passage)) for passage in asked or passages]
        passage, grade = max(graded, key=lambda one: sum(one[1].at_least))
        levels = distribution(grade.at_least)
        score = math.floor(1.5 + sum(grade.at_least))
        lowest, highest = likely_range(levels, score)
        near = sum(levels[max(0, score - 2) : score + 1])
        return Judgement(score, round(near, 2), lowest, highest, passage, _evidence(passage, grade, score))

    def _grade(self, competency: Competency, passage: Passage) -> Grade:
        return self._grader.grade(
            competency, passage.question, [normalise(sentence.text) for sentence in _trusted(passage)]
        )


def distribution(at_least: Sequence[float]) -> list[float]:
    """Return the probabilities of levels 1 to 5 from those of level 2, 3, 4 and 5 or above.

    A level is never likelier reached than the one below it.
    """
    reached = [1.0]
    for chance in at_least:
        reached.append(min(chance, reached[-1]))
    return [here - above for here, above in zip(reached, [*reached[1:], 0.0], strict=True)]


def likely_range(levels: Sequence[float], score: int) -> tuple[int, int]:
    """Return the smallest range of levels around the score that holds RANGE_SHARE of the probability."""
    lowest = highest = score
    while sum(levels[lowest - 1 : highest]) < RANGE_SHARE and (lowest, highest) != (1, 5):
        below = levels[lowest - 2] if lowest > 1 else -1.0
        above = levels[highest] if highest < 5 else -1.0
        lowest, highest = (lowest - 1, highest) if below > above else (lowest, highest + 1)
    return lowest, highest


def _evidence(passage: Passage, grade: Grade, score: int) -> Sentence:
    """The sentence that the anchor of the score attends to most; for a score of 1, that of level 2."""
    shares = grade.support[max(0, score - 2)]
    return max(zip(_trusted(passage), shares, strict=True), key=lambda one: one[1])[0]


def _trusted(passage: Passage) -> list[Sentence]:
    return [sentence for sentence in passage.sentences if sentence.trusted]
