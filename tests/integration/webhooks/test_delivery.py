"""Deliveries from the event to the receiver: content, signatures, schedule, order, and what ends them."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import update
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.models import JobState
from serve_app.services import Services
from serve_app.storage.database import after
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.models import Delivery, DeliveryState, Endpoint
from serve_app.webhooks.schedule import DELAYS_S
from tests.integration.webhooks.conftest import create
from tests.support.calls import submit
from tests.support.receiver import Answer, Received, Receiver
from tests.support.world import Customer, new_customer


async def cancel_one(client: httpx.AsyncClient, customer: Customer, **form: Any) -> str:
    """Submit a job and cancel it. Returns its id."""
    job_id = str((await submit(client, customer, **form)).json()["job_id"])
    assert (await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)).status_code == 200
    return job_id


async def the_log(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], limit: int = 20
) -> list[dict[str, Any]]:
    """The attempts, newest first."""
    url = f"/v1/webhooks/{endpoint['webhook_id']}/attempts?limit={limit}"
    response = await client.get(url, headers=customer.headers)
    rows: list[dict[str, Any]] = response.json()["data"]
    return rows


async def delivery_of(services: Services) -> Delivery:
    """The only delivery."""
    async with services.database.transaction() as session:
        return (await session.exec(select(Delivery))).one()


async def make_due(services: Services) -> None:
    """Let the time until the next attempt pass."""
    async with services.database.transaction() as session:
        await session.exec(update(Delivery).values(due_at=after(0)))


async def test_a_finished_job_is_told_without_its_content(
    client: httpx.AsyncClient,
    services: Services,
    pool: LocalPool,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """The message has id, state, product, metadata and links, and neither transcript nor scores nor the role."""
    job_id = (await submit(client, customer, metadata='{"ats": 7}')).json()["job_id"]
    await Executor(services, pool).run_next()
    assert await deliverer.deliver_due() == 1
    (request,) = receiver.received
    assert request.headers["content-type"] == "application/json"
    assert len(request.body) < 2048
    message = request.message
    datetime.fromisoformat(message.pop("timestamp"))
    assert message == {
        "type": "job.completed",
        "data": {
            "job_id": job_id,
            "status": "completed",
            "vertical": "recruitscreen",
            "detail": None,
            "seq": message["data"]["seq"],
            "status_url": f"http://test/v1/jobs/{job_id}",
            "events_url": f"http://test/v1/jobs/{job_id}/events",
            "metadata": {"ats": 7},
        },
    }


async def test_long_metadata_are_left_out(
    client: httpx.AsyncClient, customer: Customer, endpoint: object, receiver: Receiver, deliverer: Deliverer
) -> None:
    """A message stays below 2 kB: metadata that do not fit are null, and stay with the job."""
    await cancel_one(client, customer, metadata=json.dumps({"note": "é" * 1500}))
    await deliverer.deliver_due()
    assert len(receiver.received[0].body) < 2048
    assert receiver.received[0].message["data"]["metadata"] is None


async def test_the_signatures_verify(
    client: httpx.AsyncClient,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """The standardwebhooks library verifies `v1`, and the public key verifies `v1a`; a changed body fails both."""
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    (request,) = receiver.received
    assert Webhook(endpoint["secret"]).verify(request.body, request.headers) == request.message
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(request.body + b" ", request.headers)
    assert verifies_v1a(request, endpoint["public_keys"][0]["public_key"])
    assert not verifies_v1a(
        Received("", request.headers, request.body + b" "), endpoint["public_keys"][0]["public_key"]
    )


def verifies_v1a(request: Received, public_key: str) -> bool:
    """Whether one of the `v1a` signatures is of this key."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    content = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    for version, _, signature in (one.partition(",") for one in request.headers["webhook-signature"].split(" ")):
        if version == "v1a":
            try:
                key.verify(base64.b64decode(signature), content)
            except InvalidSignature:
                continue
            return True
    return False


async def test_a_rolled_back_move_tells_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer, endpoint: object, deliverer: Deliverer
) -> None:
    """An event is part of its transaction: without a commit there is none."""
    job_id = (await submit(client, customer)).json()["job_id"]
    with pytest.raises(ZeroDivisionError):
        async with services.database.transaction() as session:
            await lifecycle.transition(session, job_id, JobState.CANCELED)
            raise ZeroDivisionError
    assert await deliverer.deliver_due() == 0


async def test_failed_attempts_follow_the_schedule_and_are_logged(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """Ten attempts over 75 hours with the same id, each in the log with its answer; then the event counts as missed."""
    receiver.answer = lambda _: Answer(500, body=b"x" * 5000)
    await cancel_one(client, customer)
    for delay_s in DELAYS_S:
        assert await deliverer.deliver_due() == 1
        assert await deliverer.deliver_due() == 0
        wait_s = ((await delivery_of(services)).due_at - datetime.now(UTC)).total_seconds()
        assert delay_s - 5 < wait_s <= delay_s * 1.1
        await make_due(services)
    assert await deliverer.deliver_due() == 1
    assert (await delivery_of(services)).state is DeliveryState.MISSED
    await make_due(services)
    assert await deliverer.deliver_due() == 0
    assert 74 * 3600 < sum(DELAYS_S) < 77 * 3600
    assert len({request.id for request in receiver.received}) == 1
    log = await the_log(client, customer, endpoint)
    assert [row["status"] for row in log] == [500] * 10
    assert {row["answer"] for row in log} == {"x" * 2048}
    assert all(row["error"] and row["duration_ms"] is not None for row in log)


@pytest.mark.parametrize(
    ("answer", "least_s"),
    [
        (Answer(503, {"Retry-After": "1200"}), 1199),
        (Answer(429, {"Retry-After": f"{datetime.now(UTC) + timedelta(hours=2):%a, %d %b %Y %H:%M:%S} GMT"}), 3600),
        (Answer(503, {"Retry-After": "999999999"}), 86_000),
    ],
)
async def test_retry_after_is_honoured(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: object,
    receiver: Receiver,
    deliverer: Deliverer,
    answer: Answer,
    least_s: float,
) -> None:
    """A receiver can ask for a longer pause, in seconds or by date, up to a day."""
    receiver.answer = lambda _: answer
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    wait_s = ((await delivery_of(services)).due_at - datetime.now(UTC)).total_seconds()
    assert least_s < wait_s < 24 * 3600 + 5


async def test_a_redirect_is_a_failure(
    client: httpx.AsyncClient,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """A redirect is not followed."""
    receiver.answer = lambda _: Answer(302, {"Location": receiver.url})
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    assert len(receiver.received) == 1
    assert "Redirects are not followed" in (await the_log(client, customer, endpoint))[0]["error"]


async def test_a_410_disables_the_endpoint_and_the_others_are_told(
    client: httpx.AsyncClient, customer: Customer, receiver: Receiver, deliverer: Deliverer
) -> None:
    """The endpoint gets nothing more; the account's other endpoint gets `endpoint.disabled`."""
    gone = await create(client, customer, url=f"{receiver.url}/gone")
    await create(client, customer, url=f"{receiver.url}/other", events=["endpoint.disabled"])
    receiver.answer = lambda request: Answer(410 if request.path == "/hook/gone" else 200)
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    assert [(request.path, request.type) for request in receiver.received] == [
        ("/hook/gone", "job.canceled"),
        ("/hook/other", "endpoint.disabled"),
    ]
    told = receiver.received[1].message["data"]
    assert (told["webhook_id"], told["reason"]) == (gone["webhook_id"], "gone")
    view = (await client.get(f"/v1/webhooks/{gone['webhook_id']}", headers=customer.headers)).json()
    assert (view["enabled"], view["disabled_reason"]) == (False, "gone")


async def test_an_endpoint_that_fails_for_120_hours_is_disabled_and_revives(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """After 120 hours only one trial an hour is made; its success sends everything that waits."""
    receiver.answer = lambda _: Answer(500)
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    await set_endpoint(services, failing_since=after(-121 * 3600))
    await make_due(services)
    await deliverer.deliver_due()
    url = f"/v1/webhooks/{endpoint['webhook_id']}"
    assert (await client.get(url, headers=customer.headers)).json()["disabled_reason"] == "failing"
    await cancel_one(client, customer)
    await make_due(services)
    assert await deliverer.deliver_due() == 0
    await set_endpoint(services, trial_at=after(0))
    assert await deliverer.deliver_due() == 1
    assert await deliverer.deliver_due() == 0
    receiver.answer = lambda _: Answer(200)
    await set_endpoint(services, trial_at=after(0))
    assert await deliverer.deliver_due() == 1
    await make_due(services)
    assert await deliverer.deliver_due() == 1
    assert len({request.id for request in receiver.received}) == 2
    assert (await client.get(url, headers=customer.headers)).json()["enabled"]


async def set_endpoint(services: Services, **values: Any) -> None:
    async with services.database.transaction() as session:
        await session.exec(update(Endpoint).values(**values))


async def test_events_of_one_job_arrive_in_order(
    client: httpx.AsyncClient, customer: Customer, endpoint: object, receiver: Receiver, deliverer: Deliverer
) -> None:
    """A later event of a job waits for the first attempt at an earlier one; other jobs do not wait."""
    first, second = await cancel_one(client, customer), await cancel_one(client, customer)
    for job_id in (first, second):
        await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert await deliverer.deliver_due() == 2
    assert await deliverer.deliver_due() == 2
    for job_id in (first, second):
        told = [request.type for request in receiver.received if request.message["data"]["job_id"] == job_id]
        assert told == ["job.canceled", "job.deleted"]


async def test_an_event_that_the_endpoint_refuses_does_not_hold_up_later_ones(
    client: httpx.AsyncClient, customer: Customer, endpoint: object, receiver: Receiver, deliverer: Deliverer
) -> None:
    """After the first failure of an earlier event, a later one of the same job is sent."""
    receiver.answer = lambda request: Answer(500 if request.type == "job.canceled" else 200)
    job_id = await cancel_one(client, customer)
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    await deliverer.deliver_due()
    await deliverer.deliver_due()
    assert receiver.types == ["job.canceled", "job.deleted"]


async def test_a_slow_endpoint_gets_four_at_a_time(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: object,
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """One read of the queue takes four deliveries of one endpoint, and those of another account."""
    other = await new_customer(services.database)
    await create(client, other, url=f"{receiver.url}/other")
    for _ in range(6):
        await cancel_one(client, customer)
    await cancel_one(client, other)
    assert await deliverer.deliver_due() == 5
    assert await deliverer.deliver_due() == 2


async def test_erasing_a_job_erases_it_from_outbox_and_log(
    client: httpx.AsyncClient,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """After a delete, a replayed event has no metadata, and the log no answers."""
    receiver.answer = lambda _: Answer(500, body=b"Jane Doe")
    job_id = await cancel_one(client, customer, metadata='{"name": "Jane Doe"}')
    await deliverer.deliver_due()
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert "Jane" not in str(await the_log(client, customer, endpoint))
    replay = f"/v1/webhooks/{endpoint['webhook_id']}/replay"
    await client.post(replay, json={"event_id": receiver.received[0].id}, headers=customer.headers)
    await deliverer.deliver_due()
    assert [b"Jane" in request.body for request in receiver.received] == [True, False]


async def test_a_changed_secret_key_sends_nothing_unverifiable(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    with_sender: Callable[..., Deliverer],
) -> None:
    """With another SECRET_KEY nothing is sent, the log says why, and a forced rotation mends it."""
    await cancel_one(client, customer)
    await with_sender(secret_key="another").deliver_due()
    assert receiver.received == []
    assert "SECRET_KEY has changed" in (await the_log(client, customer, endpoint))[0]["error"]


async def test_a_silent_endpoint_times_out(
    client: httpx.AsyncClient,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    with_sender: Callable[..., Deliverer],
) -> None:
    """An attempt ends after the time-out, and the log says so."""
    receiver.answer = lambda _: time.sleep(2) or Answer()  # type: ignore[func-returns-value]
    await cancel_one(client, customer)
    await with_sender(timeout_s=0.3).deliver_due()
    (row,) = await the_log(client, customer, endpoint)
    assert (row["status"], row["error"]) == (None, "No answer within 0.3 s.")
