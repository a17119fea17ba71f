"""Judges score passages against a competency's anchors: one way of judging per file. `judge_for` selects one."""

from typing import cast

from serve_app.pipeline.assessment.judges.choice import ChoiceJudge
from serve_app.pipeline.assessment.judges.graded import GradedJudge
from serve_app.pipeline.assessment.judges.judgement import Judge
from serve_app.pipeline.assessment.judges.likelihood import LikelihoodJudge
from serve_app.pipeline.assessment.ports import AnswerGrader, AssessorModel, Weigher


def judge_for(model: AssessorModel, job: str = "") -> Judge:
    """Return the judge for a model: a grader grades, a model that writes prose chooses, any other weighs the anchors.

    `job` describes the job; only the judge by choice reads it.
    """
    if isinstance(model, AnswerGrader):
        return GradedJudge(model)
    return ChoiceJudge(model, job) if model.writes_prose else LikelihoodJudge(cast("Weigher", model))
