"""The outbox: an event is written in the transaction of what it tells of, and queued for the endpoints that want it."""

from sqlalchemy import ColumnElement, delete, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.storage.database import after, wake_after_commit
from serve_app.webhooks.models import Attempt, Delivery, DeliveryState, DisabledReason, Endpoint, Event

TOPIC = "webhooks"
"""The bus topic of new deliveries."""
KEPT_S = 30 * 24 * 3600.0
"""How long events, deliveries and attempts are kept."""


async def add(session: AsyncSession, event: Event, *, only: str | None = None, without: str | None = None) -> bool:
    """Write an event, and queue it for every endpoint that wants it. False when its `dedupe` was written before.

    `only` queues it for this endpoint, whatever that is subscribed to. `without` leaves an endpoint out.
    """
    values = event.model_dump(exclude={"seq", "created_at"})
    written = await session.exec(
        insert(Event).values(**values).on_conflict_do_nothing(index_elements=["dedupe"]).returning(col(Event.seq))
    )
    seq = written.scalar()
    if seq is None:
        return False
    endpoints = (await session.exec(select(Endpoint).where(*_subscribed(event, only)))).all()
    for endpoint in endpoints:
        if endpoint.id != without and (only or _wants(endpoint, event)):
            session.add(
                Delivery(
                    endpoint_id=endpoint.id, event_id=event.id, job_id=event.job_id, seq=seq, state=_state_for(endpoint)
                )
            )
    await session.flush()
    wake_after_commit(session, TOPIC)
    wake_after_commit(session, account_topic(event.account_id))
    return True


async def erase_job(session: AsyncSession, job_id: str) -> None:
    """Erase what the outbox and the log hold of a job's content: its metadata, and what receivers answered."""
    await session.exec(update(Event).where(col(Event.job_id) == job_id).values(labels=None))
    deliveries = select(Delivery.id).where(col(Delivery.job_id) == job_id)
    await session.exec(update(Attempt).where(col(Attempt.delivery_id).in_(deliveries)).values(answer=""))


async def delete_old(session: AsyncSession) -> None:
    """Delete events after 30 days with their deliveries and attempts, and endpoints of jobs erased as long ago."""
    await session.exec(delete(Event).where(col(Event.created_at) < after(-KEPT_S)))
    events = select(Event.id).where(col(Event.job_id) == col(Endpoint.job_id)).exists()
    old = (col(Endpoint.job_id).is_not(None), col(Endpoint.created_at) < after(-KEPT_S), ~events)
    await session.exec(delete(Endpoint).where(*old))


def account_topic(account_id: str) -> str:
    """The bus topic of an account's events."""
    return f"events:{account_id}"


def _subscribed(event: Event, only: str | None) -> tuple[ColumnElement[bool], ...]:
    if only:
        return (col(Endpoint.id) == only,)
    of_job = or_(col(Endpoint.job_id).is_(None), col(Endpoint.job_id) == event.job_id)
    return col(Endpoint.account_id) == event.account_id, of_job


def _wants(endpoint: Endpoint, event: Event) -> bool:
    """Whether its filters let the event pass. Events of no product pass every filter of products."""
    of_type = endpoint.events is None or event.type in endpoint.events
    return of_type and (endpoint.products is None or event.vertical is None or event.vertical in endpoint.products)


def _state_for(endpoint: Endpoint) -> DeliveryState:
    """An endpoint that is off misses the event. One that fails is tried again and may revive."""
    off = endpoint.disabled_reason in {DisabledReason.OWNER, DisabledReason.GONE}
    return DeliveryState.MISSED if off else DeliveryState.PENDING
