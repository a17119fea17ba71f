"""Judges score passages against a competency's anchors: one way of judging per file. `judge_for` selects one."""

from typing import cast

from serve_app.pipeline.assessment.judges.choice import ChoiceJudge
from serve_app.pipeline.assessment.judges.judgement import Judge
from serve_app.pipeline.assessment.judges.likelihood import LikelihoodJudge
from serve_app.pipeline.assessment.ports import LanguageModel, Weigher


def judge_for(model: LanguageModel, job: str = "") -> Judge:
    """Return the judge for a model: by choice if it writes prose, else by the likelihood of the anchors.

    `job` describes the job; only the judge by choice reads it.
    """
    return ChoiceJudge(model, job) if model.writes_prose else LikelihoodJudge(cast("Weigher", model))
