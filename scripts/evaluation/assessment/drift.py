"""Drift: how far the scores change when the same answers are said in another way."""

from statistics import mean

from scripts.evaluation.assessment.models import ReadingModel, ignore_progress
from scripts.evaluation.assessment.variants import VARIANTS, rewrite_answers, with_extra_answer
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.types import Assessment, AssessmentRequest

LOST_SCORE = 4.0
"""Change that counts where a score appears or disappears."""


def measure_drift(request: AssessmentRequest, model: ReadingModel) -> dict[str, float]:
    """Return the mean absolute change of the scores by variant."""
    request = with_extra_answer(request)
    original = assess(request, model, model, ignore_progress)
    return {
        name: round(
            mean(_changes(assess(rewrite_answers(request, variant), model, model, ignore_progress), original)), 2
        )
        for name, variant in VARIANTS.items()
    }


def _changes(result: Assessment, original: Assessment) -> list[float]:
    pairs = [(result.scores[slug].score, score.score) for slug, score in original.scores.items()]
    return [
        LOST_SCORE if (after is None) != (before is None) else abs((after or 0) - (before or 0))
        for after, before in pairs
    ]
