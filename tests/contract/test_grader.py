"""What the shipped grader makes of answers that it has not seen."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from safetensors import safe_open

from deployments.backends.assessor.grader import Grader
from deployments.backends.progress import ProgressReporter
from scripts.training.graded_answers import digest, product_competencies
from serve_app.errors import InferenceFailed
from serve_app.pipeline.assessment.ports import Grade
from serve_app.pipeline.types import Competency
from serve_app.settings import Paths
from tests.support.backends import nothing

QUESTIONS = {
    "problem_solving": "Tell me about a difficult problem that you solved.",
    "technical_depth": "Which tool do you know best?",
    "communication": "Explain to a new colleague what you do.",
    "teamwork": "Tell me about a disagreement at work.",
    "motivation": "Why do you want this role?",
}
STRONG = {
    "problem_solving": (
        "Boxes kept arriving crushed in Leeds. I weighed a sample from each shift and saw that only night "
        "boxes were overfilled, because the scale drifted when the hall got cold. We moved the scale inside "
        "and put in a daily check with a test weight. Crushed boxes went from forty a week to two, and the "
        "check is now in the start list."
    ),
    "technical_depth": (
        "I have run the tunnel oven for six years. It holds heat in the bricks, so it answers slowly, and I "
        "chose it for rye because the crust sets before the crumb dries. Its limit is that you cannot change "
        "the temperature between batches. A deck oven can, but burns a third more gas and needs someone "
        "beside it."
    ),
    "communication": (
        "I keep the signals on the line working. A signal is like a lift door that will not close while "
        "someone stands in it: as long as a train is in the section, the light stays red. For you as a driver "
        "it means that a red light is never a mistake you may ignore, so stop and call us."
    ),
    "teamwork": (
        "My colleague and I did not agree about the night rota. She wanted long shifts, I wanted short ones. "
        "I asked each nurse for their worst week and put both plans side by side at the meeting, she "
        "presented hers. We tried hers for a month, counted sick days, and kept it with one change of mine."
    ),
    "motivation": (
        "You look for someone to plan the winter gritting. I drove a gritter for four winters and rewrote our "
        "route cards when two villages were always last, so planning is the part I want to do all day. What I "
        "would like to know is how you decide at night whether to send the lorries out?"
    ),
}
EMPTY = {
    "problem_solving": (
        "I am known as a person who solves every problem. I stay calm, I think outside the box, and I never "
        "give up. Problems are simply opportunities in disguise, and everybody who has worked with me will "
        "tell you that."
    ),
    "technical_depth": (
        "I have heard a lot about these machines and find them fascinating. I have not worked with them yet. "
        "But I pick up new tools very quickly, as all my managers have always said."
    ),
    "communication": (
        "Communication is my greatest strength. I can talk to anybody at any level, and people love my "
        "presentations. I have had training in it as well."
    ),
    "teamwork": (
        "I am a real team player through and through. Teamwork makes the dream work, that is my motto. "
        "Without a team nobody gets anywhere in this world."
    ),
    "motivation": (
        "I have fifteen years of experience and three certificates. I am punctual, loyal and hard-working. I "
        "would be a great addition to any company."
    ),
}
GARDEN = Competency(
    "pruning", "Pruning", "Prunes trees so that they stay healthy.",
    {
        1: "The answer tells of no tree that was pruned.",
        2: "The answer names a tree that was pruned, but not how.",
        3: "The answer says how a tree was pruned, but not why.",
        4: "The answer says how a tree was pruned and why in this way.",
        5: "The answer says how and why a tree was pruned, and how it did in the years after.",
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    grader = Grader(name="grader")
    grader.load(nothing)
    yield grader
    grader.unload()


def sentences_of(text: str) -> list[str]:
    return re.split(r"(?<=[.?!]) ", text)


def expected_level(grade: Grade) -> float:
    return 1 + sum(grade.at_least)


@pytest.mark.parametrize("slug", QUESTIONS)
def test_a_strong_answer_stands_two_levels_above_an_empty_one(slug: str, grader: Grader) -> None:
    """Both are polished and of about the same length."""
    competency = product_competencies()[slug]
    strong, empty = (grader.grade(competency, QUESTIONS[slug], sentences_of(texts[slug])) for texts in (STRONG, EMPTY))
    assert expected_level(strong) >= expected_level(empty) + 2


def test_a_good_answer_to_another_question_stands_below_one_to_the_question(grader: Grader) -> None:
    """What was said about an oven says nothing about working with others."""
    competency, question = product_competencies()["teamwork"], QUESTIONS["teamwork"]
    other, own = (
        grader.grade(competency, question, sentences_of(STRONG[slug])) for slug in ("technical_depth", "teamwork")
    )
    assert expected_level(other) < expected_level(own) - 0.5


def test_a_rubric_that_the_grader_has_never_seen_is_graded(grader: Grader) -> None:
    """How, why and what came of it stands above a name alone."""
    question = "Tell me about a tree that you pruned."
    full = (
        "The old pear behind the school had fireblight. I cut every branch two hands below the dark wood and burnt "
        "the saw clean between cuts, because the rot runs ahead of what you see. It has fruited every autumn since."
    )
    name_only = "There was a pear behind the school. It was a nice old tree and I always liked working outdoors."
    levels = [expected_level(grader.grade(GARDEN, question, sentences_of(text))) for text in (full, name_only)]
    assert levels[0] > levels[1] + 1


def test_the_attention_is_shared_among_the_sentences(grader: Grader) -> None:
    """Each level has a share per sentence, never more than all of it together; the order of levels is kept."""
    grade = grader.grade(product_competencies()["teamwork"], QUESTIONS["teamwork"], sentences_of(STRONG["teamwork"]))
    assert [len(shares) for shares in grade.support] == [4] * 4
    assert all(0 < sum(shares) <= 1.001 for shares in grade.support)
    assert all(0 <= chance <= 1 for chance in grade.at_least)
    assert grade.tokens > 50


def test_the_same_answer_gets_the_same_grade_from_every_thread(grader: Grader) -> None:
    """Whatever is graded before or beside it."""
    asked = [(product_competencies()[slug], QUESTIONS[slug], sentences_of(STRONG[slug])) for slug in QUESTIONS]
    alone = [grader.grade(*one) for one in asked]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda one: grader.grade(*one), asked * 3)) == alone * 3


def test_an_answer_longer_than_the_grader_reads_is_graded(grader: Grader) -> None:
    """The rest is left out; every sentence has a share."""
    grade = grader.grade(GARDEN, "And?", ["I cut the pear tree in March and it grew."] * 80)
    assert len(grade.support[0]) == 80


def test_a_grader_that_is_not_loaded_says_so() -> None:
    """No call before the weights are there."""
    with pytest.raises(InferenceFailed, match="before it was loaded"):
        Grader(name="grader").session(ProgressReporter(nothing))


def test_the_weights_belong_to_the_training_data() -> None:
    """The weights name the digest of their training data: a change of the data or the anchors needs a new training."""
    with safe_open(Paths().grader_file, "pt") as weights:
        assert weights.metadata()["learnt_from"] == digest()
