"""Agreement of scores with known levels, 1 to 5: ranking, kappa, calibration, and what the answer's length explains."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.evaluation.assessment.rated_answers import qwk, ranks, spearman

BINS = 10
MIN_ANSWERS = 9
"""Answers to a competency from which its own correlation says anything."""


def agreement(
    levels: Sequence[int], scores: Sequence[float], words: Sequence[int], competencies: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of `scores`, which need not be whole, against `levels`. `words` are the answers' lengths."""
    whole = [int(min(5, max(1, score + 0.5))) for score in scores]
    return {
        "answers": len(levels),
        "spearman": spearman(scores, levels),
        "qwk": qwk(whole, levels),
        "exact": share(whole, levels, 0),
        "within_one": share(whole, levels, 1),
        "length_partial": partial_rank_correlation(scores, words, levels),
        "mean_by_level": {
            level: round(float(np.mean([s for s, known in zip(scores, levels, strict=True) if known == level])), 2)
            for level in sorted(set(levels))
        },
        "spearman_by_competency": _by_competency(levels, scores, competencies),
    }


def _by_competency(levels: Sequence[int], scores: Sequence[float], competencies: Sequence[str]) -> Mapping[str, float]:
    found = {}
    for slug in sorted(set(competencies)):
        at = [number for number, one in enumerate(competencies) if one == slug]
        if len(at) >= MIN_ANSWERS:
            found[slug] = spearman([scores[number] for number in at], [levels[number] for number in at])
    return found


def share(scores: Sequence[int], levels: Sequence[int], distance: int) -> float:
    """Return the share of scores at most `distance` levels from the known one."""
    return round(sum(abs(a - b) <= distance for a, b in zip(scores, levels, strict=True)) / len(levels), 3)


def partial_rank_correlation(one: Sequence[float], other: Sequence[float], given: Sequence[float]) -> float:
    """Return the rank correlation of two series, with what `given` explains of each taken out."""
    known = ranks(given)
    a, b = (_residual(ranks(series), known) for series in (one, other))
    return round(float(np.corrcoef(a, b)[0, 1]), 3)


def _residual(series: npt.NDArray[np.float64], known: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(series - np.polyval(np.polyfit(known, series, 1), known))


def best_temperature(chances: Sequence[Sequence[float]], levels: Sequence[int]) -> float:
    """Return the divisor of the logits that makes the known levels likeliest (temperature scaling, Guo et al. 2017).

    `chances` are the probabilities of being at levels 2, 3, 4 and 5 or above.
    """
    given = np.clip(np.asarray(chances, float), 1e-6, 1 - 1e-6)
    logits = np.log(given / (1 - given))
    reached = np.subtract.outer(np.asarray(levels), np.arange(2, 6)) >= 0

    def loss(temperature: float) -> float:
        return float(np.logaddexp(0, np.where(reached, -logits, logits) / temperature).mean())

    return round(float(min(np.arange(0.5, 4.01, 0.05), key=loss)), 2)


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> list[dict[str, float]]:
    """Return mean confidence and share of right scores for each tenth of the range that occurs."""
    table = []
    for number in range(BINS):
        inside = [at for at, value in enumerate(confidences) if min(BINS - 1, int(value * BINS)) == number]
        if inside:
            table.append({
                "answers": len(inside),
                "confidence": round(float(np.mean([confidences[at] for at in inside])), 3),
                "right": round(float(np.mean([right[at] for at in inside])), 3),
            })  # fmt: skip
    return table


def ece(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error (Naeini et al. 2015): the mean gap between confidence and share right."""
    rows = reliability(confidences, right)
    return round(sum(row["answers"] * abs(row["confidence"] - row["right"]) for row in rows) / len(right), 3)
