"""Agreement of scores with known levels."""

import pytest

from scripts.evaluation.assessment.agreement import (
    agreement,
    best_temperature,
    ece,
    partial_rank_correlation,
    reliability,
)

LEVELS = [1, 2, 3, 4, 5] * 4


def test_right_scores_agree_wholly() -> None:
    """Correlation, kappa and shares are 1, and the mean score rises with the level."""
    figures = agreement(LEVELS, LEVELS, range(20), ["a"] * 10 + ["b"] * 10)
    assert (figures["spearman"], figures["qwk"], figures["exact"], figures["within_one"]) == (1, 1, 1, 1)
    assert figures["mean_by_level"] == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert figures["spearman_by_competency"] == {"a": 1, "b": 1}


def test_a_score_that_follows_length_is_found_out() -> None:
    """What length explains beyond the level is 1 where the score is the length, and small where it is the level."""
    words = [7, 3, 9, 1, 5, 2, 8, 4, 6, 10, 20, 17, 13, 16, 12, 19, 15, 11, 18, 14]
    assert partial_rank_correlation(words, words, LEVELS) == pytest.approx(1)
    noisy = [level + (0.1 if at % 3 else -0.1) for at, level in enumerate(LEVELS)]
    assert abs(partial_rank_correlation(noisy, words, LEVELS)) < 0.5


def test_calibration_compares_confidence_with_the_share_that_is_right() -> None:
    """Confidence 0.75 with three of four right is calibrated; confidence 1 with half right is off by a half."""
    assert ece([0.75] * 4, [True, True, True, False]) == 0
    assert ece([1.0, 1.0], [True, False]) == 0.5
    assert reliability([0.75] * 4, [True, True, True, False]) == [{"answers": 4, "confidence": 0.75, "right": 0.75}]


def test_the_temperature_cools_probabilities_that_are_too_sure() -> None:
    """Sure and often wrong needs a temperature above 1; sure and right one below."""
    sure = [(0.99, 0.99, 0.01, 0.01)] * 4
    assert best_temperature(sure, [3, 3, 3, 5]) > 1
    assert best_temperature(sure, [3, 3, 3, 3]) < 1
