"""Events about the account: its balance and its keys."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from serve_app.credits import ledger
from serve_app.services import Services
from serve_app.webhooks import notices
from serve_app.webhooks.delivery import Deliverer
from tests.integration.webhooks.conftest import create
from tests.support.calls import submit
from tests.support.receiver import Receiver
from tests.support.world import Customer, new_customer


async def told(deliverer: Deliverer, receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of what has been received since the last call."""
    while await deliverer.deliver_due():
        pass
    new = [(request.type, request.message["data"]) for request in receiver.received]
    receiver.received.clear()
    return new


async def test_a_low_and_an_empty_balance_are_told_once(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: object,
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """Below the threshold and at 0, once each; after a grant again."""
    services.settings.credits_low = 99
    await submit(client, customer, seconds=1)
    assert await told(deliverer, receiver) == []
    await submit(client, customer, seconds=1)
    await submit(client, customer, seconds=1)
    assert await told(deliverer, receiver) == [("credits.low", {"balance": 98, "threshold": 99})]
    poor = await new_customer(services.database, credits_=1)
    await create(client, poor, url=receiver.url)
    await submit(client, poor, seconds=1)
    assert await told(deliverer, receiver) == [("credits.exhausted", {"balance": 0, "threshold": 99})]
    async with services.database.transaction() as session:
        await ledger.grant(session, poor.account_id, 1, "bought")
    await submit(client, poor, seconds=1)
    assert await told(deliverer, receiver) == [("credits.exhausted", {"balance": 0, "threshold": 99})]


async def test_a_key_that_ends_within_a_week_is_told_once(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """The event names the key by id and prefix; products' filters let it pass."""
    await create(client, customer, url=receiver.url, products=["recruitscreen"])
    now = datetime.now(UTC)
    for days in (6, 8):
        expires_at = (now + timedelta(days=days)).isoformat()
        terms = {"expires_at": expires_at, "name": f"ends in {days}"}
        made = (await client.post("/v1/keys", json=terms, headers=customer.headers)).json()
        if days == 6:
            ending = made
    for _ in range(2):
        async with services.database.transaction() as session:
            await notices.tell_expiring_keys(session)
    ((type_, data),) = await told(deliverer, receiver)
    assert (type_, data["key_id"], data["prefix"]) == ("key.expiring", ending["key_id"], ending["prefix"])
    assert datetime.fromisoformat(data["expires_at"]) == datetime.fromisoformat(ending["expires_at"])
