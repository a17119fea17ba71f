"""Create, list, change, rotate and delete an account's endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import Account
from serve_app.errors import Conflict, NotFound
from serve_app.storage.database import after, wake_after_commit
from serve_app.storage.text import storable
from serve_app.webhooks import outbox
from serve_app.webhooks.models import (
    Delivery,
    DeliveryState,
    DisabledReason,
    Endpoint,
    Event,
    EventType,
    Secret,
)
from serve_app.webhooks.signing import Keys, derive_keys

MAX_ENDPOINTS = 10
TRIAL_EVERY_S = 3600.0
"""How often a failing endpoint is tried."""
MAX_URL_SHOWN = 300
"""Characters of a URL in a message, which stays below 2 kB."""
NO_SUCH_ENDPOINT = "No webhook endpoint with this id exists in your account."


@dataclass(frozen=True, slots=True)
class EndpointTerms:
    """Where an endpoint is, and what it gets. None for `events` and `products` is all of them."""

    url: str
    description: str = ""
    events: list[str] | None = None
    products: list[str] | None = None


async def create(session: AsyncSession, actor: Actor, terms: EndpointTerms, secret_key: str) -> tuple[Endpoint, Keys]:
    """Create an endpoint with its keys. Raises `Conflict` when the account has ten, and `NotPermitted`."""
    account_id = actor.account_id
    await session.exec(select(col(Account.id)).where(col(Account.id) == account_id).with_for_update())
    if len(await list_endpoints(session, actor)) >= MAX_ENDPOINTS:
        raise Conflict(f"The account has {MAX_ENDPOINTS} webhook endpoints, the most it may have. Delete one first.")
    endpoint = Endpoint(
        account_id=account_id,
        url=terms.url,
        description=terms.description,
        events=terms.events,
        products=terms.products,
    )
    session.add(endpoint)
    await session.flush()
    await audit.record(session, actor, Action.WEBHOOK_CREATED, endpoint.id)
    return endpoint, await add_keys(session, endpoint.id, secret_key)


async def add_keys(session: AsyncSession, endpoint_id: str, secret_key: str) -> Keys:
    """Make the next generation of an endpoint's keys."""
    secret = Secret(endpoint_id=endpoint_id, public_key="")
    keys = derive_keys(secret_key, secret.id)
    secret.public_key = keys.public_key
    session.add(secret)
    await session.flush()
    return keys


async def list_endpoints(session: AsyncSession, actor: Actor) -> Sequence[Endpoint]:
    """An account's endpoints, newest first, without those of single jobs.

    Raises `NotPermitted` unless the actor is an owner, as everything here that takes an actor.
    """
    actor.must_be(Role.OWNER)
    mine = (col(Endpoint.account_id) == actor.account_id, col(Endpoint.job_id).is_(None))
    query = select(Endpoint).where(*mine).order_by(col(Endpoint.created_at).desc(), col(Endpoint.id).desc())
    return (await session.exec(query)).all()


async def get_owned(session: AsyncSession, actor: Actor, endpoint_id: str, *, lock: bool = False) -> Endpoint:
    """An endpoint of the actor's account, also one of a single job. Raises `NotFound` and `NotPermitted`."""
    actor.must_be(Role.OWNER)
    if not storable(endpoint_id):
        raise NotFound(NO_SUCH_ENDPOINT)
    query = select(Endpoint).where(col(Endpoint.id) == endpoint_id, col(Endpoint.account_id) == actor.account_id)
    endpoint = (await session.exec(query.with_for_update(key_share=True) if lock else query)).first()
    if endpoint is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    return endpoint


async def live_secrets(session: AsyncSession, endpoint_ids: Sequence[str]) -> dict[str, list[Secret]]:
    """The generations of keys that sign now, newest first, by endpoint."""
    query = (
        select(Secret)
        .where(col(Secret.endpoint_id).in_(endpoint_ids), *_live())
        .order_by(col(Secret.created_at).desc(), col(Secret.expires_at).desc().nulls_first())
    )
    found: dict[str, list[Secret]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
    for secret in (await session.exec(query)).all():
        found[secret.endpoint_id].append(secret)
    return found


async def change(session: AsyncSession, actor: Actor, endpoint: Endpoint, changes: dict[str, Any]) -> None:
    """Change `url`, `description`, `events` or `products`. Raises `NotPermitted`."""
    actor.must_be(Role.OWNER)
    for name, value in changes.items():
        setattr(endpoint, name, value)
    session.add(endpoint)
    await session.flush()
    await audit.record(session, actor, Action.WEBHOOK_CHANGED, endpoint.id, ", ".join(changes) or "switched on or off")


async def delete(session: AsyncSession, actor: Actor, endpoint_id: str) -> None:
    """Delete an endpoint with its secrets and its log. Raises `NotFound` and `NotPermitted`."""
    await session.delete(await get_owned(session, actor, endpoint_id))
    await audit.record(session, actor, Action.WEBHOOK_DELETED, endpoint_id)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How present keys end: after `overlap_s` seconds; `force` ends those at once that still overlap with them."""

    overlap_s: float
    force: bool = False


async def rotate(session: AsyncSession, actor: Actor, endpoint: Endpoint, secret_key: str, rotation: Rotation) -> Keys:
    """Make new keys. The present ones sign beside them until they end.

    Raises `Conflict` when the present keys still overlap with older ones, and `NotPermitted`.
    """
    actor.must_be(Role.OWNER)
    secrets = (await live_secrets(session, [endpoint.id]))[endpoint.id]
    overlapping = [secret for secret in secrets if secret.expires_at is not None]
    if overlapping and not rotation.force:
        raise Conflict(
            f"The last rotation of this endpoint ends at {overlapping[0].expires_at:%Y-%m-%dT%H:%M:%SZ}; until then "
            "the older secret signs, too. Wait, or send 'force': true, which ends the older secret at once."
        )
    for secret in secrets:
        seconds = 0.0 if secret.expires_at is not None else rotation.overlap_s
        await session.exec(update(Secret).where(col(Secret.id) == secret.id).values(expires_at=after(seconds)))
    await audit.record(session, actor, Action.WEBHOOK_CHANGED, endpoint.id, "a new secret")
    return await add_keys(session, endpoint.id, secret_key)


async def disable(session: AsyncSession, endpoint: Endpoint, reason: DisabledReason) -> None:
    """Switch an endpoint off. Unless it is only failing, it misses what waits for it."""
    values: dict[str, Any] = {"disabled_at": func.now(), "disabled_reason": reason}
    if reason is DisabledReason.FAILING:
        values["trial_at"] = after(TRIAL_EVERY_S)
    await session.exec(update(Endpoint).where(col(Endpoint.id) == endpoint.id).values(**values))
    if reason is not DisabledReason.FAILING:
        pending = (col(Delivery.endpoint_id) == endpoint.id, col(Delivery.state) == DeliveryState.PENDING)
        await session.exec(update(Delivery).where(*pending).values(state=DeliveryState.MISSED))
    if reason is not DisabledReason.OWNER:
        data = {"webhook_id": endpoint.id, "url": endpoint.url[:MAX_URL_SHOWN], "reason": reason}
        told = Event(account_id=endpoint.account_id, type=EventType.ENDPOINT_DISABLED, data=data)
        await outbox.add(session, told, without=endpoint.id)


async def enable(session: AsyncSession, endpoint: Endpoint) -> None:
    """Switch an endpoint on again. What waits for it is sent; what it missed needs a replay."""
    await session.exec(
        update(Endpoint)
        .where(col(Endpoint.id) == endpoint.id)
        .values(disabled_at=None, disabled_reason=None, failing_since=None, trial_at=None)
    )
    wake_after_commit(session, outbox.TOPIC)


def _live() -> tuple[ColumnElement[bool], ...]:
    return (or_(col(Secret.expires_at).is_(None), col(Secret.expires_at) > func.now()),)
