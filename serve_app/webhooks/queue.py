"""The queue of deliveries: claim what is due under a lease, and settle what came of it.

A delivery is sent again when its lease ends before it was settled, so every event arrives at least once. Deliveries of
one job to one endpoint go out in order: a later one waits for an earlier one's first attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.storage.database import after
from serve_app.webhooks import endpoints, schedule
from serve_app.webhooks.models import Attempt, Delivery, DeliveryState, DisabledReason, Endpoint, Event, Secret

AT_ONCE_PER_ENDPOINT = 4
"""Deliveries that one endpoint gets at the same time. A slow one cannot take all slots."""
GONE = 410
PENDING, DELIVERED, MISSED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.MISSED


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery, with all that sending it needs."""

    delivery_id: int
    attempt_id: int
    event: Event
    endpoint: Endpoint
    secrets: list[Secret]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: the HTTP status if there was an answer, and an error unless it was a success."""

    status: int | None = None
    error: str | None = None
    answer: str = ""
    retry_after_s: float = 0.0
    duration_ms: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the endpoint has the event."""
        return self.error is None


async def claim_due(session: AsyncSession, limit: int, lease_s: float) -> list[Parcel]:
    """Claim deliveries that are due, for `lease_s` seconds. Their attempts are in the log from now on."""
    trials = await _due_trials(session, limit)
    due = await _lock_due(session, limit - len(trials)) if len(trials) < limit else []
    return await _claim(session, [*trials, *due], lease_s)


async def settle(session: AsyncSession, parcel: Parcel, outcome: Outcome) -> None:
    """Note what came of an attempt: in the log, the delivery and its endpoint."""
    await session.exec(
        update(Attempt)
        .where(col(Attempt.id) == parcel.attempt_id)
        .values(duration_ms=outcome.duration_ms, status=outcome.status, error=outcome.error, answer=outcome.answer)
    )
    endpoint = (
        await session.exec(
            select(Endpoint).where(col(Endpoint.id) == parcel.endpoint.id).with_for_update(key_share=True)
        )
    ).first()
    if endpoint is None:  # deleted meanwhile
        return
    if outcome.delivered:
        await _settle_success(session, parcel, endpoint)
    else:
        await _settle_failure(session, parcel, endpoint, outcome)


async def _settle_success(session: AsyncSession, parcel: Parcel, endpoint: Endpoint) -> None:
    values: dict[str, Any] = {"state": DELIVERED, "delivered_at": func.now(), "lease_until": None}
    await session.exec(update(Delivery).where(col(Delivery.id) == parcel.delivery_id).values(**values))
    if endpoint.disabled_reason is DisabledReason.FAILING:
        await endpoints.enable(session, endpoint)
    elif endpoint.failing_since is not None:
        await session.exec(update(Endpoint).where(col(Endpoint.id) == endpoint.id).values(failing_since=None))


async def _settle_failure(session: AsyncSession, parcel: Parcel, endpoint: Endpoint, outcome: Outcome) -> None:
    latest = (col(Delivery.id) == parcel.delivery_id, col(Delivery.attempt_id) == parcel.attempt_id)
    query = select(Delivery).where(*latest, col(Delivery.state) != DELIVERED).with_for_update()
    delivery = (await session.exec(query)).first()
    if delivery is None:  # another process has it, or has delivered it
        return
    delay_s = schedule.delay_s(delivery.failures + 1, outcome.retry_after_s)
    changes: dict[str, Any] = {"failures": delivery.failures + 1, "lease_until": None, "due_at": after(delay_s or 0.0)}
    if delay_s is None:
        changes["state"] = MISSED
    await session.exec(update(Delivery).where(*latest).values(**changes))
    started = (
        await session.exec(
            update(Endpoint)
            .where(col(Endpoint.id) == endpoint.id)
            .values(failing_since=func.coalesce(col(Endpoint.failing_since), func.now()))
            .returning(func.extract("epoch", func.now() - col(Endpoint.failing_since)))
        )
    ).scalar()
    if endpoint.disabled_reason in {DisabledReason.OWNER, DisabledReason.GONE}:
        return
    if outcome.status == GONE:
        await endpoints.disable(session, endpoint, DisabledReason.GONE)
    elif endpoint.disabled_reason is None and float(started or 0) > schedule.DISABLE_AFTER_S:
        await endpoints.disable(session, endpoint, DisabledReason.FAILING)


async def _lock_due(session: AsyncSession, limit: int) -> Sequence[int]:
    """Ids of due deliveries in order of time, at most a few of one endpoint, locked until the transaction ends."""
    earlier, busy = aliased(Delivery), aliased(Delivery)
    waits_for_earlier = (
        select(earlier.id)
        .where(
            col(earlier.endpoint_id) == col(Delivery.endpoint_id),
            col(earlier.job_id) == col(Delivery.job_id),
            col(earlier.seq) < col(Delivery.seq),
            col(earlier.state) == PENDING,
            col(earlier.failures) == 0,
        )
        .exists()
    )
    at_work = (
        select(col(busy.endpoint_id).label("endpoint_id"), func.count(col(busy.id)).label("attempts"))
        .where(col(busy.state) == PENDING, col(busy.lease_until) > func.now())
        .group_by(col(busy.endpoint_id))
        .subquery()
    )
    place = func.row_number().over(
        partition_by=col(Delivery.endpoint_id), order_by=[col(Delivery.due_at), col(Delivery.id)]
    )
    due = (
        select(col(Delivery.id), (place + func.coalesce(at_work.c.attempts, 0)).label("place"))
        .join(Endpoint, col(Endpoint.id) == col(Delivery.endpoint_id))
        .outerjoin(at_work, at_work.c.endpoint_id == col(Delivery.endpoint_id))
        .where(col(Delivery.due_at) <= func.now(), col(Endpoint.disabled_at).is_(None), *_free(), ~waits_for_earlier)
        .subquery()
    )
    chosen = select(due.c.id).where(due.c.place <= AT_ONCE_PER_ENDPOINT)
    query = (
        select(col(Delivery.id))
        .where(col(Delivery.id).in_(chosen), *_free())
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.exec(query)).all()


async def _due_trials(session: AsyncSession, limit: int) -> list[int]:
    """Ids of one undelivered event for each failing endpoint whose hour has passed. The next trial is in an hour."""
    due = (col(Endpoint.disabled_reason) == DisabledReason.FAILING, col(Endpoint.trial_at) <= func.now())
    failing = (await session.exec(select(Endpoint).where(*due).limit(limit).with_for_update(skip_locked=True))).all()
    found: list[int] = []
    for endpoint in failing:
        next_trial = {"trial_at": after(endpoints.TRIAL_EVERY_S)}
        await session.exec(update(Endpoint).where(col(Endpoint.id) == endpoint.id).values(**next_trial))
        waiting = (col(Delivery.endpoint_id) == endpoint.id, col(Delivery.state) != DELIVERED)
        oldest = (
            select(col(Delivery.id))
            .where(*waiting)
            .order_by((col(Delivery.state) == PENDING).desc(), col(Delivery.seq))
        )
        if (delivery_id := (await session.exec(oldest.limit(1))).first()) is not None:
            found.append(delivery_id)
    return found


async def _claim(session: AsyncSession, ids: Sequence[int], lease_s: float) -> list[Parcel]:
    parcels = []
    for delivery_id in ids:
        attempt = Attempt(delivery_id=delivery_id)
        session.add(attempt)
        await session.flush()
        lease = {"lease_until": after(lease_s), "attempt_id": attempt.id}
        await session.exec(update(Delivery).where(col(Delivery.id) == delivery_id).values(**lease))
        whole = (
            select(Event, Endpoint)
            .join(Delivery, col(Delivery.event_id) == col(Event.id))
            .join(Endpoint, col(Delivery.endpoint_id) == col(Endpoint.id))
            .where(col(Delivery.id) == delivery_id)
        )
        event, endpoint = (await session.exec(whole)).one()
        secrets = (await endpoints.live_secrets(session, [endpoint.id]))[endpoint.id]
        parcels.append(Parcel(delivery_id, attempt.id, event, endpoint, secrets))
    return parcels


def _free() -> tuple[Any, ...]:
    """Conditions of a pending delivery that nobody sends."""
    unleased = or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= func.now())
    return col(Delivery.state) == PENDING, unleased
