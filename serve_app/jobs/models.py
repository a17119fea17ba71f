"""The tables of jobs, events, checkpoints, idempotency keys and share links."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from serve_app.accounts.models import MAX_CONSENT, MAX_EMAIL
from serve_app.credits.ledger import Price
from serve_app.credits.models import MAX_REASON
from serve_app.storage.database import choice, optional_timestamp, timestamp

MAX_LABEL = 200
MAX_FILE_NAME = 255


class JobState(StrEnum):
    """Public states of a job."""

    QUEUED = "queued"
    """Waiting for an executor."""
    LOADING_WEIGHTS = "loading_weights"
    """A model is being loaded for it. Skipped when all models are warm."""
    PROCESSING_INFERENCE = "processing_inference"
    """A model is working on its input."""
    COMPLETED = "completed"
    """The result is available."""
    FAILED = "failed"
    """It has an error, and may be retried without charge until it expires."""
    CANCELED = "canceled"
    """Its owner canceled it."""


class Job(SQLModel, table=True):
    """One recording and its assessment. Only `jobs.lifecycle` writes `state`, `version` and `last_seq`."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_account_served", "account_id", "started_at"),  # for scheduling
        Index("ix_jobs_reviewed", "account_id", postgresql_where=text("reviews <> '[]'")),  # for agreement
    )

    id: str = Field(default_factory=lambda: f"job_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    key_id: str | None = Field(default=None, foreign_key="api_keys.id")
    vertical: str = Field(max_length=64)

    original_id: str | None = Field(default=None, foreign_key="jobs.id", index=True, max_length=32)
    """Of a further assessment: the job that was submitted with the recording. They are erased together."""
    based_on_id: str | None = Field(default=None, foreign_key="jobs.id", max_length=32)
    """Of a further assessment: the job whose transcript and inputs it began with."""

    state: JobState = Field(default=JobState.QUEUED, sa_type=choice(JobState, "known_job_state"), index=True)
    version: int = 1
    """Grows with every claim and every move. Stale workers cannot write, because they know an old version."""
    last_seq: int = 1
    """Sequence number of the newest event."""
    attempt: int = 0
    lease_owner: str | None = Field(default=None, max_length=64)
    lease_until: datetime | None = optional_timestamp()
    available_at: datetime = timestamp()
    """Cannot be claimed before this time. Back-off moves it into the future."""

    inputs: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """The form fields of the product, e.g. role_title."""
    labels: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """The caller's `metadata`, returned unchanged. SQLAlchemy reserves that name."""
    label: str | None = Field(default=None, max_length=MAX_LABEL)
    """The caller's own name for the job."""
    file_name: str | None = Field(default=None, max_length=MAX_FILE_NAME)
    """Name of the uploaded file, as the client sent it, without folders."""
    consent_text: str | None = Field(default=None, max_length=MAX_CONSENT)
    """What was confirmed about the candidate's consent. None for jobs of the API. Stays with the receipt."""
    language: str | None = Field(default=None, max_length=16)
    """As the caller named it; once the job has a result, the language of that."""
    duration_s: float
    """0 until the recording of a `source_url` has arrived, as are its price and its digest."""
    credits: int
    credits_returned: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """What the ledger has given back of `credits`: all or nothing."""
    return_reason: str | None = Field(default=None, max_length=MAX_REASON)
    """Why the ledger has given them back, in words."""
    source_url: str | None = None
    """Where the recording is fetched from. None once it has arrived: such an address may open it for anyone."""
    blob: str | None = None
    """Key of the upload; empty for a further assessment; None once the input is deleted, and until it has arrived."""
    blob_sha256: str = Field(max_length=64)
    blob_bytes: int = Field(sa_type=BigInteger)

    result: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """JSON, because JSONB sorts keys: scores stay in the order of the rubric."""
    reviews: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, nullable=False, sa_column_kwargs={"server_default": "[]"}
    )
    """People's reviews of the result; `jobs.review` writes them."""
    expires_at: datetime | None = optional_timestamp()
    """When its content is erased. For a failed job also the end of its retry window."""
    erased_at: datetime | None = optional_timestamp()
    """When its content was erased. The row stays as a receipt."""
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=1000)

    created_at: datetime = timestamp()
    started_at: datetime | None = optional_timestamp()
    inference_at: datetime | None = optional_timestamp()
    """When a model first began to work on it, since it was submitted or retried. Until then a cancel costs nothing."""
    finished_at: datetime | None = optional_timestamp()

    stage: str | None = Field(default=None, max_length=32)
    """What a model does now. From the newest progress event, as are the next two."""
    percent: int | None = None
    expected_at: datetime | None = optional_timestamp()
    """When the result is expected."""


def price_of(job: Job) -> Price:
    """The charge for the job."""
    return Price(job.account_id, job.id, job.credits, job.key_id)


def charge_reason(job: Job) -> str:
    """What the charge for the job is for, in words."""
    if not job.duration_s:
        return "no recording has arrived, so nothing is charged"
    if job.based_on_id is not None:
        return f"accepted another assessment of {job.based_on_id}"
    return f"accepted a recording of {job.duration_s:.0f} s"


class EventKind(StrEnum):
    """Name of an event on the stream."""

    STATUS = "status"
    PROGRESS = "progress"
    REVIEW = "review"
    """A person has reviewed the result. Comes after the job's end, and holds nothing of the review."""


class JobEvent(SQLModel, table=True):
    """One event of a job. Streams replay events in order of `seq`."""

    __tablename__ = "job_events"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, max_length=32, ondelete="CASCADE")
    seq: int = Field(primary_key=True)
    kind: EventKind = Field(sa_type=choice(EventKind, "known_event_kind"))
    status: JobState = Field(sa_type=choice(JobState, "known_event_status"))
    detail: str | None = Field(default=None, max_length=1000)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    created_at: datetime = timestamp()


class JobCheckpoint(SQLModel, table=True):
    """Output of a finished stage, which later attempts and further assessments reuse. Erased with the job."""

    __tablename__ = "job_checkpoints"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, max_length=32, ondelete="CASCADE")
    stage: str = Field(primary_key=True, max_length=32)
    output: Any = Field(sa_type=JSONB)
    created_at: datetime = timestamp()


class IdempotencyKey(SQLModel, table=True):
    """An idempotency key, the fingerprint of its request, and the answer given to it."""

    __tablename__ = "idempotency_keys"

    account_id: str = Field(foreign_key="accounts.id", primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: str = Field(max_length=64)
    job_id: str = Field(max_length=32)
    response: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    created_at: datetime = timestamp()


class ShareLink(SQLModel, table=True):
    """A link that shows parts of a scorecard to people without an account. Its address holds its signed id."""

    __tablename__ = "share_links"

    id: str = Field(default_factory=lambda: f"shr_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    job_id: str = Field(foreign_key="jobs.id", index=True, max_length=32)
    sections: list[str] = Field(sa_type=JSONB)
    """Values of `Section`."""
    hide_name: bool = False
    passcode_hash: str | None = Field(default=None, max_length=200)
    """Argon2id. None: the link opens without a passcode."""
    created_by: str = Field(max_length=MAX_EMAIL)
    created_at: datetime = timestamp()
    expires_at: datetime = timestamp()
    revoked_at: datetime | None = optional_timestamp()
    views: int = 0


class ShareView(SQLModel, table=True):
    """One view of a share link by somebody who is not signed in to its account."""

    __tablename__ = "share_views"

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    link_id: str = Field(foreign_key="share_links.id", index=True, ondelete="CASCADE", max_length=32)
    address: str = Field(max_length=64)
    """The reader's network address."""
    at: datetime = timestamp()
