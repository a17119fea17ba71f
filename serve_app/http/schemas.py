"""What the API answers."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field

from serve_app.credits.models import EntryKind, LedgerEntry
from serve_app.jobs.models import Job, JobState
from serve_app.jobs.queries import Accepted
from serve_app.keys.models import ApiKey

T = TypeVar("T")
JobId = Annotated[str, Field(examples=["job_9f2c81d4a0b34e7f9d21"])]


class ErrorDetail(BaseModel):
    """Why a request was refused."""

    error: str = Field(examples=["invalid_api_key"])
    message: str = Field(description="What was wrong and what to do, for people.")
    code: str = Field(description="The same as `error`.", examples=["invalid_api_key"])
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str
    docs_url: str = Field(description="Where the code is explained.")
    field: str | None = Field(default=None, description="Of a 422: the field that is missing or wrong.")
    credits_needed: int | None = Field(default=None, description="Of a 402: what the job would have cost.")
    upgrade_url: str | None = Field(default=None, description="Of a 402: where credits are to be had.")


class ErrorBody(BaseModel):
    """Body of every error."""

    detail: ErrorDetail


class SubmittedJob(BaseModel):
    """The 202 of a submit."""

    job_id: JobId
    status: JobState = Field(examples=["queued"])
    credits_charged: int = Field(examples=[7])
    credits_remaining: int = Field(examples=[93])
    status_url: str = Field(examples=["/v1/jobs/job_9f2c81d4a0b34e7f9d21"])
    events_url: str = Field(examples=["/v1/jobs/job_9f2c81d4a0b34e7f9d21/events"])

    @classmethod
    def of(cls, accepted: Accepted) -> "SubmittedJob":
        """The answer to an accepted submit."""
        url = f"/v1/jobs/{accepted.job_id}"
        return cls(
            job_id=accepted.job_id,
            status=JobState.QUEUED,
            credits_charged=accepted.credits_charged,
            credits_remaining=accepted.credits_remaining,
            status_url=url,
            events_url=f"{url}/events",
        )


class JobError(BaseModel):
    """Why a job failed."""

    code: str = Field(examples=["vram_unavailable"])
    message: str


class JobSummary(BaseModel):
    """A job in a list."""

    job_id: JobId
    status: JobState
    vertical: str
    detail: str | None = Field(description="The error code of a failed job, e.g. vram_unavailable.")
    duration_s: float
    credits_charged: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When result and input are erased; a failed job's retry window.")
    deleted_at: datetime | None = Field(description="Set when the content was erased and this receipt is what is left.")
    metadata: dict[str, Any]
    status_url: str
    events_url: str

    @classmethod
    def of(cls, job: Job) -> "JobSummary":
        """The public view of a row."""
        return cls(**_common(job))


class JobView(JobSummary):
    """A job as its owner sees it."""

    result: dict[str, Any] | None = Field(description="Of a completed job: an InterviewResult, as it was stored.")
    error: JobError | None = Field(description="Of a failed job.")

    @classmethod
    def of(cls, job: Job) -> "JobView":
        """The public view of a row, with its content."""
        error = JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None
        return cls(**_common(job), result=job.result, error=error)


def _common(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "status": job.state,
        "vertical": job.vertical,
        "detail": job.error_code,
        "duration_s": round(job.duration_s, 1),
        "credits_charged": job.credits,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "deleted_at": job.erased_at,
        "metadata": job.labels,
        "status_url": f"/v1/jobs/{job.id}",
        "events_url": f"/v1/jobs/{job.id}/events",
    }


class DeletedJob(BaseModel):
    """The receipt of a deletion."""

    job_id: JobId
    deleted: bool = True


class StreamToken(BaseModel):
    """A way to follow one job without a header, for a browser's EventSource."""

    token: str
    expires_in_s: int
    events_url: str


class QuoteView(BaseModel):
    """What a recording would cost and take; nothing is charged."""

    credits: int = Field(examples=[7])
    duration_s: float = Field(examples=[412.0])
    expected_s: float = Field(description="Seconds from submit to result at today's pace, waiting not counted.")
    cold: bool = Field(description="Some model is not warm, and its load is part of expected_s.")


class Credits(BaseModel):
    """An account's credits."""

    balance: int = Field(description="What can be spent now.")
    held: int = Field(description="Charged for jobs that are not over, or failed and may still be retried.")


class Movement(BaseModel):
    """One row of the ledger."""

    kind: EntryKind
    credits: int = Field(description="Positive into the account, negative out of it.")
    job_id: str | None
    reason: str
    expires_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, entry: LedgerEntry) -> "Movement":
        """The public view of a row."""
        return cls(**entry.model_dump(include=set(cls.model_fields)))


class KeyView(BaseModel):
    """A key without its secret."""

    key_id: str
    name: str
    scope: str
    prefix: str = Field(examples=["lv_sk_all_a1B2"])
    monthly_cap: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyView":
        """The public view of a row."""
        return cls(key_id=key.id, **key.model_dump(include=set(cls.model_fields)))


class NewKey(KeyView):
    """A key at the only time its secret is shown."""

    api_key: str = Field(description="Shown once. Only its SHA-256 is stored.")


class Listed(BaseModel, Generic[T]):
    """A page, newest first."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class StreamedEvent(BaseModel):
    """`data` of an event. `status`, `detail` and `terminal` are all a client needs; the rest shows progress."""

    status: JobState
    detail: str | None = Field(description="A line for people; of a failure, its error code.")
    terminal: bool = Field(description="The job is over and the stream ends after this event.")
    seq: int = Field(description="The same as the event's id; `Last-Event-ID` goes on behind it.")
    at: datetime
    queue_position: int | None = Field(default=None, description="1 for the next job to be run; while queued.")
    expected_s: float | None = Field(default=None, description="Seconds until the result, at today's pace.")
    stage: str | None = Field(default=None, description="transcription, diarization or assessment.")
    percent: int | None = Field(default=None, description="Share of the work that is done.")
    loading: dict[str, Any] | None = Field(default=None, description="Which models are loaded, and how far they are.")
    error: dict[str, Any] | None = Field(default=None, description="Of a failure: code, message, retryable.")
