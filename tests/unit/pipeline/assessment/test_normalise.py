"""The judge reads the same words for the same answer, and points count content alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evaluation.assessment.variants import VARIANTS
from serve_app.pipeline.assessment.judges.points import judge_by_points, level_of
from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency
from tests.support.sample import ANSWERS

POINT = "Compare traces, find the query that locks the table, add an index and measure the response time again."
REMOVED_VARIANTS = ("name", "other_name", "pronoun", "fillers")
"""Variants that normalisation removes completely."""


@pytest.mark.parametrize("variant", REMOVED_VARIANTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_some_variants_are_removed_completely(variant: str, answer: str) -> None:
    """Names, pronouns and fillers do not change the words that the judge reads."""
    assert normalise(VARIANTS[variant](answer)) == normalise(answer)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_variants_do_not_change_the_score_by_points(variant: str, answer: str) -> None:
    """No variant changes the score by points, hedges, padding and spelling included."""
    assert score(VARIANTS[variant](answer)) == score(answer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Wei Zhang. I fixed it.", "I fixed it."),
        ("Hello, this is John speaking. I fixed it.", "I fixed it."),
        ("Um, I think I, I sort of fixed the the colour.", "I fixed the color."),
        ("She organised the analysis and he analysed it.", "They organized the analysis and they analyzed it."),
        ("This is Python code. Call me when it is done.", "This is Python code. Call me when it is done."),
        ("You know, it was slow, I mean, really slow.", "It was slow really slow."),
    ],
)
def test_normalise_removes_what_must_not_count(text: str, expected: str) -> None:
    """Names, fillers, stumbles, pronouns and national spelling are removed; words about the work stay."""
    assert normalise(text) == expected


@given(st.text())
def test_normalise_is_idempotent_after_two_passes(text: str) -> None:
    """A third pass changes nothing. The second one may: removals can join words into a new pattern."""
    once = normalise(normalise(text))
    assert normalise(once) == once


def test_more_of_a_point_never_scores_less() -> None:
    """The level rises from 1 for an empty answer to 5 for the whole point."""
    answers = ["", "The weather was fine.", "I compared traces.", "I compared traces and found the query.", POINT]
    levels = [level_of((POINT,), [("What did you do?", answer)]) for answer in answers]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (1.0, 5.0)


def test_words_of_the_question_count_half() -> None:
    """Repeating the question makes less of a point than new words."""
    point = "A queue keeps messages until the consumer takes them."
    asked, unasked = (level_of((point,), [(q, "It keeps messages.")]) for q in ("What keeps messages?", "What?"))
    assert asked < unasked


def test_points_may_be_spread_over_several_answers() -> None:
    """Several short answers score as much as one long answer."""
    points = ("Compared the traces.", "Added an index.")
    apart = [("How?", "We compared the traces."), ("And then?", "I added an index.")]
    assert (
        level_of(points, apart) == level_of(points, [("How?", "We compared the traces and I added an index.")]) == 5.0
    )
    assert level_of(points, apart[:1]) == 3.0


def score(answer: str) -> int:
    competency = Competency("x", "X", "X.", {n: str(n) for n in range(1, 6)}, points=(POINT,))
    passage = Passage("How did you find it?", (Sentence(answer, 0, 1, trusted=True),))
    return judge_by_points(competency, [passage]).score
