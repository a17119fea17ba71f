"""Response schemas of the API."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field

from serve_app.credits.models import EntryKind, LedgerEntry
from serve_app.jobs.models import Job, JobState, charge_reason
from serve_app.jobs.review import with_reviews
from serve_app.jobs.submit import Accepted
from serve_app.keys.models import ApiKey

T = TypeVar("T")
JobId = Annotated[str, Field(examples=["job_9f2c81d4a0b34e7f9d21"])]


class ErrorDetail(BaseModel):
    """Why a request was refused."""

    error: str = Field(examples=["invalid_api_key"])
    message: str = Field(description="What is wrong and what to do next, for people.")
    code: str = Field(description="The same as `error`.", examples=["invalid_api_key"])
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str
    docs_url: str = Field(description="Page that explains the code.")
    field: str | None = Field(default=None, description="In a 422: the missing or wrong field.")
    credits_needed: int | None = Field(default=None, description="In a 402: the price of the job.")
    credits_remaining: int | None = Field(default=None, description="In a 402: the credits of the account.")
    upgrade_url: str | None = Field(default=None, description="In a 402: page that says how to get credits.")


class ErrorBody(BaseModel):
    """The body of every error."""

    detail: ErrorDetail


class SubmittedJob(BaseModel):
    """The response to an accepted job."""

    job_id: JobId
    status: JobState = Field(examples=["queued"])
    credits_charged: int = Field(
        examples=[7], description="0 for a `source_url`: charged when the recording has arrived."
    )
    credits_remaining: int = Field(examples=[93])
    status_url: str = Field(examples=["/v1/jobs/job_9f2c81d4a0b34e7f9d21"])
    events_url: str = Field(examples=["/v1/jobs/job_9f2c81d4a0b34e7f9d21/events"])
    webhook_id: str | None = Field(default=None, description="With a `webhook_url`: the id of its endpoint.")
    webhook_secret: str | None = Field(
        default=None,
        description="With a `webhook_url`: verifies this job's messages. Repeats of the request get it, too.",
    )

    @classmethod
    def of(cls, accepted: Accepted) -> "SubmittedJob":
        """The response to an accepted job."""
        url = f"/v1/jobs/{accepted.job_id}"
        return cls(
            job_id=accepted.job_id,
            status=JobState.QUEUED,
            credits_charged=accepted.credits_charged,
            credits_remaining=accepted.credits_remaining,
            status_url=url,
            events_url=f"{url}/events",
            webhook_id=accepted.webhook.endpoint_id if accepted.webhook else None,
            webhook_secret=accepted.webhook.secret if accepted.webhook else None,
        )


class JobError(BaseModel):
    """Why a job failed."""

    code: str = Field(examples=["vram_unavailable"])
    message: str


class JobCost(BaseModel):
    """What a job cost."""

    charged: int
    returned: int = Field(description="All of `charged`, or 0.")
    reason: str = Field(
        description="What was charged, or why it was returned, in words.",
        examples=["accepted a recording of 412 s", "canceled before a model had begun to work"],
    )

    @classmethod
    def of(cls, job: Job) -> "JobCost":
        """The cost of a row."""
        return cls(charged=job.credits, returned=job.credits_returned, reason=job.return_reason or charge_reason(job))


class JobSummary(BaseModel):
    """A job in a list."""

    job_id: JobId
    status: JobState
    vertical: str
    original_id: str | None = Field(
        description="Of a further assessment: the job that was submitted with the recording. Null for that job itself."
    )
    detail: str | None = Field(description="The error code of a failed job, e.g. vram_unavailable.")
    role_title: str | None = Field(description="Null once the content is erased, as are the next two.")
    label: str | None = Field(description="Your own name for the job.")
    file_name: str | None = Field(description="Name of the uploaded file.")
    language: str | None = Field(description="As you named it; once the job has a result, the language of that.")
    percent: int | None = Field(description="Percentage of the work that is done. Null while the job waits.")
    stage: str | None = Field(
        description="transcription, diarization or assessment, while a model works; download, while a `source_url` is "
        "fetched."
    )
    expected_s: float | None = Field(description="Estimated seconds until the result. Null once the job is over.")
    duration_s: float | None = Field(description="Null until the recording of a `source_url` has arrived.")
    credits_charged: int
    credits_returned: int = Field(
        description="Credits given back: the job was canceled before a model had begun to work on it, failed for good, "
        "or no speech was found. All of `credits_charged`, or 0."
    )
    cost: JobCost
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the content is erased. Ends a failed job's retry window.")
    deleted_at: datetime | None = Field(description="When the content was erased. This receipt stays.")
    metadata: dict[str, Any]
    status_url: str
    events_url: str

    @classmethod
    def of(cls, job: Job) -> "JobSummary":
        """The public view of a row."""
        return cls(**_common(job))


class JobView(JobSummary):
    """A job with its result or error."""

    result: dict[str, Any] | None = Field(description="An InterviewResult. Null unless the job is completed.")
    error: JobError | None = Field(description="Null unless the job has failed.")

    @classmethod
    def of(cls, job: Job) -> "JobView":
        """The public view of a row, with its content."""
        error = JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None
        return cls(**_common(job), result=with_reviews(job), error=error)


def _common(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "status": job.state,
        "vertical": job.vertical,
        "original_id": job.original_id,
        "detail": job.error_code,
        "role_title": job.inputs.get("role_title"),
        "label": job.label,
        "file_name": job.file_name,
        "language": job.language,
        "percent": job.percent,
        "stage": job.stage,
        "expected_s": _seconds_until(job.expected_at),
        "duration_s": round(job.duration_s, 1) or None,
        "credits_charged": job.credits,
        "credits_returned": job.credits_returned,
        "cost": JobCost.of(job),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "deleted_at": job.erased_at,
        "metadata": job.labels,
        "status_url": f"/v1/jobs/{job.id}",
        "events_url": f"/v1/jobs/{job.id}/events",
    }


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else round(max(0.0, (moment - datetime.now(UTC)).total_seconds()), 1)


class DeletedJob(BaseModel):
    """The receipt of a deletion."""

    job_id: JobId
    deleted: bool = True


class StreamToken(BaseModel):
    """Gives read access to one job without a header, for a browser's EventSource."""

    token: str
    expires_in_s: int
    events_url: str


class QuoteView(BaseModel):
    """Price and expected duration of a job. Nothing is charged."""

    credits: int = Field(examples=[7])
    duration_s: float = Field(examples=[412.0])
    expected_s: float = Field(description="Estimated seconds from start to result, without time in the queue.")
    cold: bool = Field(description="True when a model has to be loaded first. `expected_s` includes that.")


class Credits(BaseModel):
    """An account's credits."""

    balance: int = Field(description="Credits that can be spent now.")
    held: int = Field(description="Credits charged for jobs that are not over.")
    refundable: int = Field(
        description="Credits charged for failed jobs that can still be retried. They are returned when such a job is "
        "deleted, or when its retry window ends without a retry."
    )


class LedgerRow(BaseModel):
    """One entry of the ledger."""

    kind: EntryKind
    credits: int = Field(description="Positive when added to the balance, negative when taken from it.")
    job_id: str | None
    reason: str = Field(description="Why the credits moved, in words.")
    expires_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, entry: LedgerEntry) -> "LedgerRow":
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
    """A new key with its secret."""

    api_key: str = Field(description="The secret. Shown only in this response; only its SHA-256 is stored.")


class ListPage(BaseModel, Generic[T]):
    """One page of a list, newest first. Pass `next_cursor` as `cursor` to get the next one."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class StreamedEvent(BaseModel):
    """`data` of an event. A client needs only `status`, `detail` and `terminal`; the other fields show progress."""

    status: JobState
    detail: str | None = Field(description="A short text for people. The error code when the job failed.")
    terminal: bool = Field(description="True when the job is over. The stream ends after this event.")
    seq: int = Field(description="The event's id. `Last-Event-ID` resumes after it.")
    at: datetime
    queue_position: int | None = Field(default=None, description="Place in the queue; 1 runs next. Only while queued.")
    expected_s: float | None = Field(default=None, description="Estimated seconds until the result.")
    stage: str | None = Field(default=None, description="download, transcription, diarization or assessment.")
    percent: int | None = Field(default=None, description="Percentage of the job that is done.")
    download: dict[str, Any] | None = Field(
        default=None, description="Of a `source_url`: `bytes` that have arrived, and `bytes_total` if it is known."
    )
    credits_charged: int | None = Field(default=None, description="When the recording of a `source_url` has arrived.")
    loading: dict[str, Any] | None = Field(default=None, description="Models that are loading, and their progress.")
    error: dict[str, Any] | None = Field(default=None, description="Of a failed job: code, message, retryable.")
    reviews: int | None = Field(default=None, description="In a `review` event: how many reviews the result has now.")
