"""The public result of a job, as a type. `pipeline.run` makes it, the API documents it."""

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from serve_app.pipeline.exports import Row
from serve_app.pipeline.types import (
    Assessment,
    Candidate,
    InputReport,
    Metrics,
    Recommendation,
    Rubric,
    SpeakerRole,
    TokenUsage,
)


class SpeakerView(TypedDict):
    """Which part a speaker plays, how sure that is (0 to 1), and the name that a person gave them."""

    role: SpeakerRole
    confidence: float
    name: str | None


class JobUsage(TypedDict):
    """What the work took: seconds by stage, and the assessor's calls and tokens."""

    stages: dict[str, float]
    assessor: TokenUsage


class ReviewedScore(TypedDict):
    """A person's score of a competency beside the model's."""

    score: int | None
    """1 to 5. None: the interview does not tell."""
    reason: str | None
    model_score: int | None


class Review(TypedDict):
    """A person's review of an assessment, with the model's values that it was written beside."""

    reviewer: str
    recommendation: Recommendation | None
    model_recommendation: Recommendation
    scores: dict[str, ReviewedScore]
    note: str | None
    model: str
    rubric_version: str
    created_at: str
    updated_at: str
    """Times in ISO 8601."""


class InterviewResult(TypedDict):
    """What a completed job holds."""

    duration_s: float
    input: InputReport
    no_speech: bool
    """Whether no speech was recognised. Then nothing is scored, and the credits are returned."""
    language: str
    """ISO 639 code. `und`: the speech was not understood. Of all but English, nothing is scored."""
    transcript: list[Row]
    candidate: Candidate
    speakers: dict[str, SpeakerView]
    metrics: Metrics
    assessment: Assessment
    rubric: Rubric
    usage: JobUsage
    reviews: list[Review]
    """People's reviews, which the API adds to what the pipeline made."""
