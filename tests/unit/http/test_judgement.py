"""What people say beside the model: in words, and in short."""

from typing import Any

import pytest

from serve_app.http.examples import REVIEW
from serve_app.http.pages.judgement import Judgement, in_short


def review(**changes: Any) -> dict[str, Any]:
    """The documented example with other values."""
    return REVIEW | changes


@pytest.mark.parametrize(
    ("own", "model", "beside", "differs"),
    [
        (4, 4, "as the model", False),
        (3, 4, "1 level below the model", True),
        (5, 3, "2 levels above the model", True),
        (None, 3, "the model: 3 of 5", True),
        (3, None, "the model gave no score", True),
        (None, None, "as the model", False),
    ],
)
def test_a_rating_says_how_it_stands_to_the_models(
    own: int | None, model: int | None, beside: str, *, differs: bool
) -> None:
    """By levels, and in words where one of them gave no score."""
    scores = {"teamwork": {"score": own, "reason": None, "model_score": model}}
    (opinion,) = Judgement.of([review(scores=scores)], "").by_competency["teamwork"]
    assert (opinion.beside, opinion.differs) == (beside, differs)


def test_only_the_readers_own_review_is_there_while_the_model_is_hidden() -> None:
    """What others say would lead the reader as the model does."""
    judgement = Judgement.of([review(reviewer="a"), review(reviewer="b")], "b", hidden=True)
    assert (list(judgement.overall), dict(judgement.by_competency)) == ([], {})
    assert judgement.own["reviewer"] == "b"


@pytest.mark.parametrize(
    ("reviews", "short"),
    [
        ([], ""),
        ([review()], "Advance"),
        ([review(recommendation="hold"), review(), review()], "Advance (2), Hold (1)"),
        ([review(recommendation=None)], "5.0 of 5"),
        ([review(recommendation=None, scores={}, note="Well.")], "Noted"),
    ],
)
def test_a_list_says_in_short_what_people_think(reviews: list[dict[str, Any]], short: str) -> None:
    """Their recommendations, the most frequent first; without any, the mean of their scores."""
    assert in_short(reviews) == short
