"""The judge by grader, and the rationale, with grades that the tests choose."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from serve_app.pipeline.assessment.judges import judge_for
from serve_app.pipeline.assessment.judges.graded import distribution, likely_range
from serve_app.pipeline.assessment.judges.points import judge_by_points
from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.ports import Grade
from serve_app.pipeline.assessment.report import rationale
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency, Fitness

CAUSE = Competency(
    "problem_solving", "Problem solving", "Finds causes.", {n: f"Anchor {n}." for n in range(1, 6)}, ("problem",)
)
SPOKEN = ("The pump was loud.", "I found a worn bearing.", "Now it is quiet.")


class FixedGrader:
    """Gives every answer the grade that is set for its number of sentences."""

    name = "fixed"
    fitness = Fitness()

    def __init__(self, **at_least: Sequence[float]) -> None:
        self.at_least = {int(key[1:]): tuple(value) for key, value in at_least.items()}
        self.read: list[tuple[str, ...]] = []

    def grade(self, competency: Competency, question: str, sentences: Sequence[str]) -> Grade:
        self.read.append(tuple(sentences))
        last = len(sentences) - 1
        support = tuple(tuple(float(at == min(level, last)) for at in range(len(sentences))) for level in range(4))
        return Grade(self.at_least[len(sentences)], support)


def passage(*texts: str, trusted: bool = True) -> Passage:
    return Passage("What broke?", tuple(Sentence(text, at, at + 1, trusted=trusted) for at, text in enumerate(texts)))


@pytest.mark.parametrize(
    ("at_least", "score"),
    [((0, 0, 0, 0), 1), ((1, 0.49, 0, 0), 2), ((1, 0.9, 0.6, 0), 4), ((1, 1, 1, 0.5), 5), ((1, 1, 1, 1), 5)],
)
def test_the_score_is_the_expected_level_rounded(at_least: Sequence[float], score: int) -> None:
    """The sum of the probabilities counts the levels that are reached; halves round up."""
    assert judge_for(FixedGrader(n3=at_least)).judge(CAUSE, [passage(*SPOKEN)]).score == score


def test_the_best_passage_counts() -> None:
    """Of several passages the one with the highest expected level gives score, passage and evidence."""
    short, long = passage(*SPOKEN[:2]), passage(*SPOKEN)
    judgement = judge_for(FixedGrader(n2=(1, 1, 1, 0.1), n3=(1, 0, 0, 0))).judge(CAUSE, [long, short])
    assert (judgement.score, judgement.passage) == (4, short)


def test_where_the_competency_was_asked_for_only_those_answers_count() -> None:
    """A better answer to another question gives no score then."""
    other, asked = passage(*SPOKEN), replace(passage(*SPOKEN[:2]), asks_for=frozenset({CAUSE.slug}))
    judge = judge_for(FixedGrader(n2=(1, 0, 0, 0), n3=(1, 1, 1, 1)))
    assert judge.judge(CAUSE, [other, asked]).score == 2
    assert judge.judge(CAUSE, [other]).score == 5


def test_the_evidence_is_what_the_met_anchor_attends_to() -> None:
    """The grader's attention for the anchor of the score chooses the sentence; level 1 has that of level 2."""
    for at_least, index in (((0, 0, 0, 0), 0), ((1, 0, 0, 0), 0), ((1, 1, 0, 0), 1), ((1, 1, 1, 0), 2)):
        evidence = judge_for(FixedGrader(n3=at_least)).judge(CAUSE, [passage(*SPOKEN)]).evidence
        assert evidence is not None
        assert evidence.text == SPOKEN[index]


def test_only_trusted_sentences_are_graded() -> None:
    """A sentence that is not trusted never reaches the grader."""
    grader = FixedGrader(n1=(1, 0, 0, 0))
    mixed = Passage("?", (*passage(SPOKEN[0], trusted=False).sentences, *passage(SPOKEN[1]).sentences))
    judge_for(grader).judge(CAUSE, [mixed])
    assert grader.read == [(SPOKEN[1],)]


def test_probabilities_of_levels_add_up_and_are_never_negative() -> None:
    """Also where a grader thinks a higher level likelier than a lower one."""
    levels = distribution((0.5, 0.8, 0.2, 0.1))
    assert sum(levels) == pytest.approx(1)
    assert min(levels) >= 0


def test_the_range_grows_to_the_likelier_side() -> None:
    """The smallest range around the score that holds three fifths of the probability."""
    assert likely_range((0, 0, 0.9, 0.1, 0), 3) == (3, 3)
    assert likely_range((0, 0.3, 0.5, 0.2, 0), 3) == (2, 3)
    assert likely_range((0.3, 0.1, 0.2, 0.1, 0.3), 3) == (3, 5)
    assert likely_range((1, 0, 0, 0, 0), 5) == (1, 5)


def test_a_rationale_names_the_anchor_that_was_met_and_the_next_one() -> None:
    """An unsure score says between which levels; the highest level has no next anchor."""
    sure = judge_for(FixedGrader(n3=(1, 1, 0.95, 0))).judge(CAUSE, [passage(*SPOKEN)])
    assert rationale(CAUSE, sure) == "Nearest to level 4: Anchor 4. Short of level 5: Anchor 5."
    unsure = judge_for(FixedGrader(n3=(0.5, 0.45, 0.45, 0.4))).judge(CAUSE, [passage(*SPOKEN)])
    assert not unsure.stable
    assert rationale(CAUSE, unsure).endswith("It may be any level from 1 to 5: read the passage yourself.")
    best = judge_for(FixedGrader(n3=(1, 1, 1, 1))).judge(CAUSE, [passage(*SPOKEN)])
    assert rationale(CAUSE, best) == "Nearest to level 5: Anchor 5."


def test_points_quote_the_sentence_that_makes_them() -> None:
    """Where a rubric has points, the evidence is the sentence nearest to them, and no model is asked."""
    bearing = Competency("x", "X", "X.", CAUSE.anchors, points=("A bearing was worn",))
    evidence = judge_by_points(bearing, [passage(*SPOKEN)]).evidence
    assert evidence is not None
    assert evidence.text == SPOKEN[1]
