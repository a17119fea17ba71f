"""The tables of webhooks: endpoints and their secrets, events (the outbox), deliveries (the queue), attempts (the log).

An event is written in the transaction of what it tells of, with one delivery for each endpoint that wants it. Events
are deleted after 30 days, and their deliveries and attempts with them.
"""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from serve_app.storage.database import choice, optional_timestamp, timestamp


class EventType(StrEnum):
    """What an event tells of. Stored as text, so that a new type needs no migration."""

    JOB_COMPLETED = "job.completed"
    """A job has a result."""
    JOB_FAILED = "job.failed"
    """A job failed. A retry may follow."""
    JOB_CANCELED = "job.canceled"
    """A job was canceled."""
    JOB_REVIEWED = "job.reviewed"
    """A person has reviewed a job's result, or changed their review."""
    JOB_DELETED = "job.deleted"
    """A job's content was erased: by its owner, or because its time had ended."""
    CREDITS_LOW = "credits.low"
    """The balance fell below the threshold. Told once until credits are added."""
    CREDITS_EXHAUSTED = "credits.exhausted"
    """The balance is 0. Told once until credits are added."""
    KEY_EXPIRING = "key.expiring"
    """An API key ends within seven days."""
    ENDPOINT_DISABLED = "endpoint.disabled"
    """An endpoint answered 410, or failed for 120 hours. Told to the account's other endpoints."""
    ENDPOINT_TEST = "endpoint.test"
    """The owner asked for a test. Told to one endpoint, whatever it is subscribed to."""


class DisabledReason(StrEnum):
    """Why an endpoint gets no events."""

    OWNER = "owner"
    """Its owner switched it off."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Every delivery failed for 120 hours. One trial an hour goes on; a success switches it on again."""


class DeliveryState(StrEnum):
    """Where an event is on its way to an endpoint."""

    PENDING = "pending"
    """It is sent, or will be sent again."""
    DELIVERED = "delivered"
    """The endpoint answered with a 2xx status."""
    MISSED = "missed"
    """All attempts failed, or the endpoint was off. A replay sends it again."""


class Endpoint(SQLModel, table=True):
    """A URL that gets events: of a whole account, or of one job."""

    __tablename__ = "webhook_endpoints"

    id: str = Field(default_factory=lambda: f"ep_{secrets.token_hex(10)}", primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="accounts.id", index=True)
    job_id: str | None = Field(
        default=None,
        sa_column=Column(String(32), ForeignKey("jobs.id", ondelete="CASCADE"), unique=True, nullable=True),
    )
    """The job whose events it gets, when it came with a submit. None for an endpoint of the account."""
    url: str = Field(max_length=2000)
    description: str = Field(default="", max_length=200)
    events: list[str] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    """Types that it gets. None for all."""
    products: list[str] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    """Slugs whose jobs it gets. None for all. Events that belong to no product pass."""
    created_at: datetime = timestamp()
    disabled_at: datetime | None = optional_timestamp()
    disabled_reason: DisabledReason | None = Field(
        default=None, sa_type=choice(DisabledReason, "known_disabled_reason"), nullable=True
    )
    failing_since: datetime | None = optional_timestamp()
    """Time of the first failure since the last success."""
    trial_at: datetime | None = optional_timestamp()
    """When a failing endpoint is tried next."""


class Secret(SQLModel, table=True):
    """One generation of an endpoint's keys. The keys themselves are not stored (see `signing`)."""

    __tablename__ = "webhook_secrets"

    id: str = Field(default_factory=lambda: f"whs_{secrets.token_hex(16)}", primary_key=True, max_length=48)
    endpoint_id: str = Field(
        sa_column=Column(String(32), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), index=True, nullable=False)
    )
    public_key: str = Field(max_length=64)
    """`whpk_…`. It also shows whether the keys can still be derived: `SECRET_KEY` may have changed."""
    created_at: datetime = timestamp()
    expires_at: datetime | None = optional_timestamp()
    """Set when a newer generation replaces it. Until then both sign."""


class Event(SQLModel, table=True):
    """Something that happened. Written in the same transaction."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        Index("ix_webhook_events_account_created", "account_id", "created_at"),
        Index("ix_webhook_events_created", "created_at"),  # for deleting old ones
    )

    id: str = Field(default_factory=lambda: f"evt_{secrets.token_hex(12)}", primary_key=True, max_length=32)
    """Sent as `webhook-id`, the same in every attempt."""
    seq: int = Field(default=None, sa_column=Column(BigInteger, Identity(), unique=True, nullable=False))
    """Grows with time within one job."""
    account_id: str = Field(foreign_key="accounts.id")
    type: str = Field(max_length=64)
    vertical: str | None = Field(default=None, max_length=64)
    job_id: str | None = Field(default=None, max_length=32, index=True)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """JSON, because JSONB sorts keys."""
    labels: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """The job's metadata when it happened. Erased with the job."""
    dedupe: str | None = Field(default=None, max_length=200, unique=True)
    """Of two events with the same value, only the first is written."""
    created_at: datetime = timestamp()


class Delivery(SQLModel, table=True):
    """One event on its way to one endpoint. The pending rows are the queue."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id", name="one_delivery_per_endpoint_and_event"),
        Index("ix_webhook_deliveries_due", "due_at", postgresql_where=text("state = 'pending'")),
        Index("ix_webhook_deliveries_order", "endpoint_id", "job_id", "seq"),
    )

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    endpoint_id: str = Field(
        sa_column=Column(String(32), ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False)
    )
    event_id: str = Field(
        sa_column=Column(String(32), ForeignKey("webhook_events.id", ondelete="CASCADE"), index=True, nullable=False)
    )
    job_id: str | None = Field(default=None, max_length=32)
    """The event's job: deliveries of one job go out in order."""
    seq: int = Field(sa_type=BigInteger)
    """The event's `seq`."""
    state: DeliveryState = Field(default=DeliveryState.PENDING, sa_type=choice(DeliveryState, "known_delivery_state"))
    failures: int = 0
    """Failed attempts since it was queued or replayed: its place in the schedule."""
    due_at: datetime = timestamp()
    lease_until: datetime | None = optional_timestamp()
    """Set while a process sends it. A process that died lets the lease end; then it is sent again."""
    attempt_id: int | None = Field(default=None, sa_type=BigInteger)
    """The latest attempt. An attempt that is no longer the latest may report a success, but no failure."""
    created_at: datetime = timestamp()
    delivered_at: datetime | None = optional_timestamp()


class Attempt(SQLModel, table=True):
    """One attempt to deliver an event: an entry of the log."""

    __tablename__ = "webhook_attempts"

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    delivery_id: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), index=True, nullable=False
        )
    )
    started_at: datetime = timestamp()
    duration_ms: int | None = None
    """None while it is under way, and for ever when its process died."""
    status: int | None = None
    """HTTP status. None without an answer."""
    error: str | None = Field(default=None, max_length=300)
    """Why it failed, for people. None after a success."""
    answer: str = Field(default="", max_length=2048)
    """The beginning of the body, at most 2 kB."""
