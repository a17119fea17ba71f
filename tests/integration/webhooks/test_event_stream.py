"""The stream of an account's events, and `recruitscreen listen` over it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import httpx
from recruitscreen_client import verify_webhook
from recruitscreen_client.webhooks import new_secret

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
    """The command reads the real stream, and the local server gets what a webhook would get, until Ctrl-C."""
    secret = new_secret()
    async with served(create_app(services)) as port:
        command = [sys.executable, "-c", "from recruitscreen_client.cli import main; main()"]
        command += ["--api-key", customer.secret, "--base-url", f"http://127.0.0.1:{port}"]
        command += ["listen", "--forward", receiver.url, "--secret", secret]
        listening = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(60):
                while not receiver.received:
                    await cancel_one(client, customer)
                    await asyncio.sleep(0.5)
        finally:
            listening.send_signal(signal.SIGINT)
            _, printed = await listening.communicate()
    assert listening.returncode == 130
    assert b"job.canceled  evt_" in printed
    message = verify_webhook(receiver.received[0].body, receiver.received[0].headers, secret)
    assert message["data"]["status_url"].startswith("http://test/v1/jobs/job_")
