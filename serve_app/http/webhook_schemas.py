"""Response schemas of webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from serve_app.webhooks.log import AttemptRow, DeliveryRow
from serve_app.webhooks.models import DeliveryState, DisabledReason, Endpoint, Secret

WebhookId = Annotated[str, Field(examples=["ep_41c9e0b7d25f4a83b6e1"])]
EventId = Annotated[
    str, Field(description="The `webhook-id` of the message.", examples=["evt_7b1f0c9a52d84e6f93a0c1d2"])
]


class EventMessage(BaseModel):
    """What endpoints receive, and what the stream of events carries."""

    type: str = Field(examples=["job.completed"])
    timestamp: datetime = Field(description="When it happened.")
    data: dict[str, Any] = Field(
        description="Of a job: `job_id`, `status`, `vertical`, `detail`, `seq`, `status_url`, `events_url`, `metadata` "
        "(null when too long to send). Never content: read that from the API."
    )


class PublicKey(BaseModel):
    """A key that verifies `v1a` signatures (ed25519)."""

    public_key: str = Field(examples=["whpk_bVkS1IKcJRmf27Y4fE9kmCb4qZl0CCbJcSu0oJyVxQY="])
    created_at: datetime
    expires_at: datetime | None = Field(description="When it stops signing, after a rotation.")

    @classmethod
    def of(cls, secret: Secret) -> "PublicKey":
        """The public part of a generation of keys."""
        return cls(public_key=secret.public_key, created_at=secret.created_at, expires_at=secret.expires_at)


class WebhookView(BaseModel):
    """An endpoint without its secret."""

    webhook_id: WebhookId
    url: str
    description: str
    events: list[str] | None = Field(description="Types that are sent. Null sends all.")
    products: list[str] | None = Field(description="Slugs of the products whose jobs are sent. Null sends all.")
    job_id: str | None = Field(description="Of an endpoint that came with a submit: its job.")
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None = Field(
        description="`owner`: switched off by its owner. `gone`: it answered 410. `failing`: every delivery failed for "
        "120 hours; one trial an hour goes on, and a success switches it on again."
    )
    failing_since: datetime | None = Field(description="Time of the first failure since the last success.")
    created_at: datetime
    public_keys: list[PublicKey] = Field(description="Keys that sign now, newest first. Two after a rotation.")

    @classmethod
    def of(cls, endpoint: Endpoint, secrets: Sequence[Secret]) -> "WebhookView":
        """The public view of a row."""
        return cls(
            webhook_id=endpoint.id,
            enabled=endpoint.disabled_at is None,
            public_keys=[PublicKey.of(secret) for secret in secrets],
            **endpoint.model_dump(include=set(cls.model_fields)),
        )


class NewWebhook(WebhookView):
    """An endpoint with its new secret."""

    secret: str = Field(description="Verifies `v1` signatures. Shown only in this response; it is not stored.")


class SentTest(BaseModel):
    """The receipt of a test."""

    event_id: EventId


class Replayed(BaseModel):
    """The receipt of a replay."""

    replayed: int = Field(description="Number of events that are sent again.")


class DeliveryView(BaseModel):
    """An event on its way to an endpoint."""

    event_id: EventId
    type: str
    job_id: str | None
    status: DeliveryState = Field(
        description="`pending`: it is sent, or tried again at `next_attempt_at`. `missed`: it is not tried any more."
    )
    failures: int = Field(description="Failed attempts since it was queued or replayed. There are ten at most.")
    next_attempt_at: datetime | None
    happened_at: datetime
    delivered_at: datetime | None

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryView":
        """The public view of a row."""
        delivery, event = row.delivery, row.event
        return cls(
            event_id=event.id,
            type=event.type,
            job_id=event.job_id,
            status=delivery.state,
            failures=delivery.failures,
            next_attempt_at=delivery.due_at if delivery.state is DeliveryState.PENDING else None,
            happened_at=event.created_at,
            delivered_at=delivery.delivered_at,
        )


class AttemptView(BaseModel):
    """One attempt to deliver an event."""

    event_id: EventId
    type: str
    started_at: datetime
    duration_ms: int | None = Field(
        description="Null while it is under way, and when the sending process died; the event is then sent again."
    )
    status: int | None = Field(description="HTTP status. Null without an answer.")
    error: str | None = Field(description="Why it failed. Null after a success.")
    answer: str = Field(description="The first 2 kB of the answer's body.")

    @classmethod
    def of(cls, row: AttemptRow) -> "AttemptView":
        """The public view of a row."""
        attempt = row.attempt.model_dump(include={"started_at", "duration_ms", "status", "error", "answer"})
        return cls(event_id=row.event.id, type=row.event.type, **attempt)
