"""The same answer, said in another way, is judged alike; and points are made by content alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evaluation.cases import VARIANTS
from serve_app.pipeline.assessment.judges.points import judge_by_points, level_of
from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import Competency

INTERVIEW = json.loads((Path(__file__).parents[4] / "config/sample/interview.json").read_text("utf-8"))
ANSWERS = [turn["text"] for turn in INTERVIEW["turns"] if turn["speaker"] == "candidate"]
POINT = "Compare traces, find the query that locks the table, add an index and measure the response time again."
SAMEWORDS = ("name", "other_name", "pronoun", "fillers")
"""Variants that leave nothing for a judge to see."""


@pytest.mark.parametrize("variant", SAMEWORDS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_judge_reads_the_same_words(variant: str, answer: str) -> None:
    """Whatever the name, the pronoun or the stumbles: no model can treat them differently."""
    assert normalise(VARIANTS[variant](answer)) == normalise(answer)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_expected_points_are_made_in_any_voice(variant: str, answer: str) -> None:
    """Hedges, padding and spelling included, the score by points does not move."""
    assert score(VARIANTS[variant](answer)) == score(answer)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("My name is Wei Zhang. I fixed it.", "I fixed it."),
        ("Hello, this is John speaking. I fixed it.", "I fixed it."),
        ("Um, I think I, I sort of fixed the the colour.", "I fixed the color."),
        ("She organised the analysis and he analysed it.", "They organized the analysis and they analyzed it."),
        ("This is Python code. Call me when it is done.", "This is Python code. Call me when it is done."),
        ("You know, it was slow, I mean, really slow.", "It was slow really slow."),
    ],
)
def test_what_must_not_count_is_taken_out(said: str, read: str) -> None:
    """And what is about the work stays."""
    assert normalise(said) == read


@given(st.text())
def test_neutral_words_stay_as_they_are(text: str) -> None:
    """Making neutral twice is making neutral once, at most after one more turn for what only then stood together."""
    once = normalise(normalise(text))
    assert normalise(once) == once


def test_more_of_a_point_is_never_worth_less() -> None:
    """From nothing said to all of it."""
    said = ["", "The weather was fine.", "I compared traces.", "I compared traces and found the query.", POINT]
    levels = [level_of((POINT,), [("What did you do?", answer)]) for answer in said]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (1.0, 5.0)


def test_repeating_the_question_is_worth_half() -> None:
    """A point's words that were in the question are no proof of knowledge."""
    point = "A queue keeps messages until the consumer takes them."
    asked, unasked = (level_of((point,), [(q, "It keeps messages.")]) for q in ("What keeps messages?", "What?"))
    assert asked < unasked


def test_points_may_be_made_in_several_answers() -> None:
    """An interview of short questions is worth as much as one long answer."""
    points = ("Compared the traces.", "Added an index.")
    apart = [("How?", "We compared the traces."), ("And then?", "I added an index.")]
    assert (
        level_of(points, apart) == level_of(points, [("How?", "We compared the traces and I added an index.")]) == 5.0
    )
    assert level_of(points, apart[:1]) == 3.0


def score(answer: str) -> int:
    competency = Competency("x", "X", "X.", {n: str(n) for n in range(1, 6)}, points=(POINT,))
    exchange = Passage("How did you find it?", (Sentence(answer, 0, 1, trusted=True),))
    return judge_by_points(competency, [exchange]).score
