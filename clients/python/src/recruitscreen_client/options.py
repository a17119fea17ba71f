"""The optional arguments of the client's methods."""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

Job = dict[str, Any]
"""A job as the API sends it."""
TranscriptFormat = Literal["json", "txt", "srt", "vtt"]
ScorecardFormat = Literal["pdf", "docx", "md", "csv", "json", "ashby", "greenhouse"]
Section = Literal[
    "summary", "scores", "highlights", "red_flags", "questions", "submittal_note", "reviews", "metrics", "transcript"
]
UsageColumn = Literal["day", "key_id", "vertical", "status"]
WebhookEvent = Literal[
    "job.completed", "job.failed", "job.canceled", "job.deleted", "job.reviewed",
    "credits.low", "credits.exhausted", "key.expiring", "endpoint.disabled", "endpoint.test",
]  # fmt: skip
StatedCandidate = Literal["first", "second", "channel_1", "channel_2"]
Recommendation = Literal["advance", "hold", "reject", "insufficient_evidence"]


class SubmitOptions(TypedDict, total=False):
    """The form's other fields. None is the same as leaving a field out."""

    label: str | None
    """Your own name for the job."""
    metadata: dict[str, Any] | None
    """Stored with the job and returned unchanged."""
    job_description: str | None
    rubric: dict[str, Any] | None
    """Your own competencies, in place of the product's."""
    rubric_id: str | None
    """A rubric that your account has saved, in its newest version."""
    candidate: StatedCandidate | None
    """Who the candidate is: first or second to speak, or on which channel."""
    num_speakers: int | None
    language: str | None
    """ISO 639 code. Detected if not sent."""
    words: bool | None
    """Also return every word with its times and confidence."""
    duration_s: float | None


class ListFilters(TypedDict, total=False):
    """Filters of a list of jobs. `q` searches; the others match exactly."""

    q: str | None
    """Words; each must be a part of the job's id, role title, label or file name."""
    role_title: str | None
    label: str | None
    file_name: str | None
    language: str | None
    stage: str | None


class Line(TypedDict):
    """A correction of one line of a transcript."""

    line: int
    """Index in the transcript, from 0."""
    text: NotRequired[str]
    speaker: NotRequired[str]
    """A speaker of the transcript, or a new one: SPEAKER_02."""


class ReassessOptions(TypedDict, total=False):
    """What changes in a further assessment."""

    role_title: str
    job_description: str | None
    rubric: dict[str, Any] | None
    """None: the product's."""
    rubric_id: str
    """A rubric that your account has saved, in its newest version."""
    candidate: str | None
    """A speaker of the transcript, or as at submit. None: guessed."""
    speakers: dict[str, str]
    """Names by speaker."""
    lines: list[Line]
    label: str | None


class Rating(TypedDict):
    """A person's score of a competency."""

    score: int | None
    """1 to 5. None: the interview does not tell."""
    reason: NotRequired[str]


class AgreementFilters(TypedDict, total=False):
    """Which reviews count."""

    vertical: str | None
    rubric_version: str | None
    model: str | None
    reviewer: str | None


class WebhookChanges(TypedDict, total=False):
    """What to change of a webhook endpoint."""

    url: str
    description: str
    events: Sequence[WebhookEvent] | None
    """None sends all types."""
    products: Sequence[str] | None
    """None sends the jobs of all products."""
    enabled: bool
