"""The public result of a job, as a type. `pipeline.run` makes it, the API documents it."""

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from serve_app.pipeline.exports import Row
from serve_app.pipeline.types import Assessment, Candidate, InputReport, Metrics, RoleGuess, Rubric, TokenUsage


class JobUsage(TypedDict):
    """What the work took: seconds by stage, and the assessor's calls and tokens."""

    stages: dict[str, float]
    assessor: TokenUsage


class InterviewResult(TypedDict):
    """What a completed job holds."""

    duration_s: float
    input: InputReport
    no_speech: bool
    """Whether no speech was recognised. Then nothing is scored, and the credits are returned."""
    language: str
    transcript: list[Row]
    candidate: Candidate
    speakers: dict[str, RoleGuess]
    metrics: Metrics
    assessment: Assessment
    rubric: Rubric
    usage: JobUsage
