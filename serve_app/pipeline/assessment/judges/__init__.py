"""Judges: ways to judge passages against a competency's anchors, one a file. `judge_for` chooses one for a model."""

from typing import cast

from serve_app.pipeline.assessment.judges.choice import ChoiceJudge
from serve_app.pipeline.assessment.judges.judgement import Judge
from serve_app.pipeline.assessment.judges.likelihood import LikelihoodJudge
from serve_app.pipeline.assessment.ports import LanguageModel, Weigher


def judge_for(model: LanguageModel, job: str = "") -> Judge:
    """A model that writes well judges by choice, a small one by the likelihood of the anchors.

    `job` describes the job; only the judge by choice reads it.
    """
    return ChoiceJudge(model, job) if model.writes_prose else LikelihoodJudge(cast("Weigher", model))
