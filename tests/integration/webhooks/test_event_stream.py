"""The stream of an account's events, and `recruitscreen listen` over it."""

import asyncio
import json
from collections.abc import AsyncIterator
from threading import Thread
from typing import Any

import httpx
import pytest
from recruitscreen_client import Backoff, RecruitScreen, RecruitScreenError, verify_webhook
from recruitscreen_client.listen import Target, forward
from recruitscreen_client.webhooks import new_secret
from rich.console import Console

from serve_app.http.app import create_app
from serve_app.services import Services
from serve_app.webhooks import event_feed
from serve_app.webhooks.models import Event
from tests.integration.webhooks.test_delivery import cancel_one
from tests.support.asgi import served
from tests.support.calls import error
from tests.support.receiver import Receiver
from tests.support.world import Customer, new_customer


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    """The next events."""
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(count)]


async def test_the_stream_carries_an_accounts_events_as_they_happen(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Without any endpoint; not what happened before, and nothing of other accounts."""
    await cancel_one(client, customer)
    events = event_feed.follow(services.database, services.bus, customer.account_id, None)
    first = asyncio.create_task(take(events, 1))
    await asyncio.sleep(0.5)
    await cancel_one(client, await new_customer(services.database))
    job_id = await cancel_one(client, customer)
    assert [event.job_id for event in await first] == [job_id]
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert [event.type for event in await take(events, 1)] == ["job.deleted"]


async def test_the_stream_resumes_after_an_event(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """What happened since is yielded; an unknown id starts from now."""
    jobs = [await cancel_one(client, customer) for _ in range(3)]
    whole = event_feed.follow(services.database, services.bus, customer.account_id, None)
    pending = asyncio.create_task(take(whole, 1))
    await asyncio.sleep(0.3)
    jobs.append(await cancel_one(client, customer))
    (last,) = await pending
    jobs.append(await cancel_one(client, customer))
    resumed = event_feed.follow(services.database, services.bus, customer.account_id, last.id)
    seen = [event.job_id for event in await take(resumed, 4)]
    assert jobs[-1] in seen
    assert last.job_id not in seen


async def test_a_products_key_cannot_read_it(client: httpx.AsyncClient, customer: Customer) -> None:
    """Events are of all products."""
    scoped = await client.post("/v1/keys", json={"scope": "recruitscreen"}, headers=customer.headers)
    headers = {"Authorization": f"Bearer {scoped.json()['api_key']}"}
    assert error(await client.get("/v1/events", headers=headers)) == "wrong_scope"


async def test_listen_forwards_over_http(
    client: httpx.AsyncClient, services: Services, customer: Customer, receiver: Receiver
) -> None:
    """The command's loop reads the real stream, and the local server gets what a webhook would get."""
    secret = new_secret()
    async with served(create_app(services)) as port:
        listener = RecruitScreen(customer.secret, f"http://127.0.0.1:{port}", backoff=Backoff(attempts=1))
        target, console = Target(receiver.url, secret), Console(quiet=True)
        thread = Thread(target=ignore_the_end, args=(listener, target, console), daemon=True)
        thread.start()
        async with asyncio.timeout(30):
            while not receiver.received:
                await cancel_one(client, customer)
                await asyncio.sleep(0.5)
    message = verify_webhook(receiver.received[0].body, receiver.received[0].headers, secret)
    assert message["type"] == "job.canceled"
    assert json.loads(receiver.received[0].body)["data"]["status_url"].startswith("http://test/v1/jobs/job_")


def ignore_the_end(client: RecruitScreen, target: Target, console: Console) -> Any:
    """Forward until the server is gone."""
    with pytest.raises(RecruitScreenError):
        forward(client, target, console)
