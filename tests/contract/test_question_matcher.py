"""What the shipped question matcher makes of questions that it has not seen."""

from collections.abc import Iterator

import pytest
from safetensors import safe_open

from deployments.backends.assessor.question_matcher import QuestionMatcher, identity
from scripts.training.graded_answers import product_competencies
from scripts.training.question_matcher import digest
from serve_app.pipeline.types import Competency
from serve_app.settings import Paths

PRODUCT = list(product_competencies().values())
IN_OTHER_WORDS = {
    "problem_solving": "Walk me through something that had gone badly wrong and how you put it right.",
    "technical_depth": "How well do you know the machines you would stand at here?",
    "communication": "Suppose I am a customer who has never seen this form. What do you tell me?",
    "teamwork": "When did you and a workmate not see eye to eye?",
    "motivation": "Out of all the places you could go, what made you pick us?",
}
ELSEWHERE = (
    "And has the cough kept you awake at night?",
    "When did the headaches begin, and how often do you get them?",
    "Shall we put the logo on the left or on the right of the handset?",
    "How did you get here this morning, by train?",
    "Which days of the week could you not work?",
)
PRUNING = Competency(
    "pruning", "Pruning", "Prunes trees so that they stay healthy.",
    {level: f"The answer says how a tree was pruned, {level} times." for level in range(1, 6)},
)  # fmt: skip
BOOKKEEPING = Competency(
    "bookkeeping", "Bookkeeping", "Keeps the books of a small firm.",
    {level: f"The answer tells of accounts that were kept for {level} years." for level in range(1, 6)},
)  # fmt: skip


@pytest.fixture(scope="module")
def matcher() -> Iterator[QuestionMatcher]:
    matcher = QuestionMatcher()
    matcher.load()
    yield matcher
    matcher.unload()


def asked(matcher: QuestionMatcher, question: str, *competencies: Competency) -> set[str]:
    (row,) = matcher.match(competencies, [question], lambda: None)
    return {one.slug for one, asks in zip(competencies, row, strict=True) if asks}


@pytest.mark.parametrize("slug", IN_OTHER_WORDS)
def test_a_question_in_other_words_asks_for_its_competency(slug: str, matcher: QuestionMatcher) -> None:
    """Of the five of the product it asks for this one."""
    assert slug in asked(matcher, IN_OTHER_WORDS[slug], *PRODUCT)


@pytest.mark.parametrize("question", ELSEWHERE)
def test_questions_of_other_conversations_ask_for_nothing(question: str, matcher: QuestionMatcher) -> None:
    """Consultations, meetings, small talk and formalities."""
    assert asked(matcher, question, *PRODUCT) == set()


def test_a_competency_that_was_not_learnt_is_compared_by_its_texts(matcher: QuestionMatcher) -> None:
    """Alone and beside another one; where its texts are far from the question, the answer is left open."""
    question = "How do you prune an old apple tree?"
    assert asked(matcher, question, PRUNING) == asked(matcher, question, PRUNING, BOOKKEEPING) == {"pruning"}
    assert matcher.match([BOOKKEEPING], [question], lambda: None) == [[None]]


def test_a_callers_competency_with_the_products_slug_is_not_taken_for_it(matcher: QuestionMatcher) -> None:
    """It is compared by its own texts."""
    own = Competency("teamwork", "Pruning", PRUNING.description, PRUNING.anchors)
    assert asked(matcher, IN_OTHER_WORDS["teamwork"], own) == set()
    assert asked(matcher, "How do you prune an old apple tree?", own) == {"teamwork"}


def test_matching_can_be_stopped(matcher: QuestionMatcher) -> None:
    """The callback is called before each batch, and its exception reaches the caller."""

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        matcher.match(PRODUCT, ["Why?"], stop)
    assert matcher.match(PRODUCT, [], stop) == []


def test_the_weights_belong_to_the_training_data_and_the_rubric() -> None:
    """They name the digest of their data, and know every competency of the product's rubric."""
    with safe_open(Paths().question_matcher_file, "pt") as weights:
        metadata = weights.metadata()
    assert metadata["learnt_from"] == digest()
    assert all(identity(competency) in metadata["learnt"] for competency in PRODUCT)
