"""Read the log of deliveries and attempts, and replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import NotFound
from serve_app.storage.database import wake_after_commit
from serve_app.storage.pagination import Page, Position, older_than, page
from serve_app.storage.text import storable
from serve_app.webhooks import outbox
from serve_app.webhooks.models import Attempt, Delivery, DeliveryState, Event

NO_SUCH_EVENT = "This endpoint has no event with this id. Events are kept for 30 days."


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery with its event."""

    delivery: Delivery
    event: Event


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt with its event."""

    attempt: Attempt
    event: Event


async def list_deliveries(
    session: AsyncSession, endpoint_id: str, state: DeliveryState | None, after: Position | None, limit: int
) -> Page[DeliveryRow]:
    """A page of an endpoint's deliveries, newest first."""
    conditions = [col(Delivery.endpoint_id) == endpoint_id]
    conditions += older_than(after, col(Delivery.created_at), col(Delivery.id), int)
    if state is not None:
        conditions.append(col(Delivery.state) == state)
    query = (
        select(Delivery, Event)
        .join(Event, col(Event.id) == col(Delivery.event_id))
        .where(*conditions)
        .order_by(col(Delivery.created_at).desc(), col(Delivery.id).desc())
        .limit(limit + 1)
    )
    rows = [DeliveryRow(delivery, event) for delivery, event in (await session.exec(query)).all()]
    return page(rows, limit, lambda row: Position(row.delivery.created_at, str(row.delivery.id)))


async def list_attempts(
    session: AsyncSession, endpoint_id: str, event_id: str | None, after: Position | None, limit: int
) -> Page[AttemptRow]:
    """A page of the attempts at an endpoint's deliveries, newest first; of one event, if `event_id` is given."""
    conditions = [col(Delivery.endpoint_id) == endpoint_id]
    conditions += older_than(after, col(Attempt.started_at), col(Attempt.id), int)
    if event_id is not None:
        conditions.append(col(Delivery.event_id) == event_id)
    query = (
        select(Attempt, Event)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .join(Event, col(Event.id) == col(Delivery.event_id))
        .where(*conditions)
        .order_by(col(Attempt.started_at).desc(), col(Attempt.id).desc())
        .limit(limit + 1)
    )
    rows = [AttemptRow(attempt, event) for attempt, event in (await session.exec(query)).all()]
    return page(rows, limit, lambda row: Position(row.attempt.started_at, str(row.attempt.id)))


@dataclass(frozen=True, slots=True)
class Range:
    """Which events to replay: those that happened in a span of time, or the missed ones among them."""

    since: datetime | None = None
    until: datetime | None = None
    missed: bool = False


async def replay_event(session: AsyncSession, endpoint_id: str, event_id: str) -> int:
    """Send one event to an endpoint again. Returns 1. Raises `NotFound`."""
    found = storable(event_id) and await _replay(session, endpoint_id, [col(Delivery.event_id) == event_id])
    if not found:
        raise NotFound(NO_SUCH_EVENT)
    return found


async def replay_range(session: AsyncSession, endpoint_id: str, range_: Range) -> int:
    """Send events to an endpoint again, in their order. Returns how many. What waits already is not counted."""
    conditions: list[Any] = [col(Delivery.state) != DeliveryState.PENDING]
    if range_.missed:
        conditions = [col(Delivery.state) == DeliveryState.MISSED]
    happened = select(col(Event.id))
    if range_.since is not None:
        happened = happened.where(col(Event.created_at) >= range_.since)
    if range_.until is not None:
        happened = happened.where(col(Event.created_at) < range_.until)
    return await _replay(session, endpoint_id, [*conditions, col(Delivery.event_id).in_(happened)])


async def _replay(session: AsyncSession, endpoint_id: str, conditions: Sequence[Any]) -> int:
    """Queue deliveries anew. An attempt that is under way may still report a success, but no failure."""
    anew: dict[str, Any] = {"state": DeliveryState.PENDING, "failures": 0, "due_at": func.now(), "delivered_at": None}
    done = await session.exec(
        update(Delivery)
        .where(col(Delivery.endpoint_id) == endpoint_id, *conditions)
        .values(**anew, lease_until=None, attempt_id=None)
        .returning(col(Delivery.id))
        .execution_options(synchronize_session=False)
    )
    wake_after_commit(session, outbox.TOPIC)
    return len(done.all())
