"""The log of deliveries, and replays from it."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from serve_app.services import Services
from serve_app.storage.database import after
from serve_app.webhooks import outbox
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.models import Attempt, Delivery, Endpoint, Event
from tests.integration.webhooks.test_delivery import cancel_one, make_due
from tests.support.calls import error
from tests.support.receiver import Answer, Receiver
from tests.support.world import Customer


async def replay(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], **body: Any
) -> httpx.Response:
    url = f"/v1/webhooks/{endpoint['webhook_id']}/replay"
    return await client.post(url, json=body, headers=customer.headers)


async def deliveries(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], **query: Any
) -> dict[str, Any]:
    url = f"/v1/webhooks/{endpoint['webhook_id']}/deliveries"
    page: dict[str, Any] = (await client.get(url, params=query, headers=customer.headers)).json()
    return page


async def deliver_all(deliverer: Deliverer) -> None:
    while await deliverer.deliver_due():
        pass


async def test_one_event_is_replayed_with_the_same_id(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], receiver: Receiver, deliverer: Deliverer
) -> None:
    """A delivered event is sent again as it was; an unknown one is a 404."""
    await cancel_one(client, customer)
    await deliver_all(deliverer)
    response = await replay(client, customer, endpoint, event_id=receiver.received[0].id)
    assert (response.status_code, response.json()) == (202, {"replayed": 1})
    await deliver_all(deliverer)
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    unknown = await replay(client, customer, endpoint, event_id="evt_unknown")
    assert (unknown.status_code, error(unknown)) == (404, "not_found")


async def test_what_was_missed_is_replayed_in_order(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """After an outage, one call sends every missed event, and none that had arrived."""
    await cancel_one(client, customer)
    await deliver_all(deliverer)
    receiver.answer = lambda _: Answer(500)
    job_id = await cancel_one(client, customer)
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    for _ in range(11):
        await deliver_all(deliverer)
        await make_due(services)
    missed = await deliveries(client, customer, endpoint, status="missed")
    assert [row["type"] for row in missed["data"]] == ["job.deleted", "job.canceled"]
    receiver.answer = lambda _: Answer()
    receiver.received.clear()
    assert (await replay(client, customer, endpoint, missed=True)).json() == {"replayed": 2}
    await deliver_all(deliverer)
    assert receiver.types == ["job.canceled", "job.deleted"]
    assert (await deliveries(client, customer, endpoint, status="missed"))["data"] == []


async def test_a_span_of_time_is_replayed(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """`since` is included, `until` is not."""
    jobs = [await cancel_one(client, customer) for _ in range(3)]
    await deliver_all(deliverer)
    for job_id, hours in zip(jobs, (3, 2, 1), strict=True):
        async with services.database.transaction() as session:
            then = after(-3600 * hours)
            await session.exec(update(Event).where(col(Event.job_id) == job_id).values(created_at=then))
    rows = (await deliveries(client, customer, endpoint))["data"]
    times = {row["job_id"]: row["happened_at"] for row in rows}
    receiver.received.clear()
    span = {"since": times[jobs[1]], "until": times[jobs[2]]}
    assert (await replay(client, customer, endpoint, **span)).json() == {"replayed": 1}
    await deliver_all(deliverer)
    assert [request.message["data"]["job_id"] for request in receiver.received] == [jobs[1]]


@pytest.mark.parametrize(
    "body", [{}, {"missed": False}, {"event_id": "evt_1", "missed": True}, {"since": "2026-01-01T00:00:00"}]
)
async def test_a_replay_says_what(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], body: dict[str, Any]
) -> None:
    """Neither nothing, nor two things, nor a time without a zone."""
    response = await replay(client, customer, endpoint, **body)
    assert (response.status_code, error(response)) == (422, "invalid_field")


async def test_the_log_has_pages_and_filters(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], deliverer: Deliverer
) -> None:
    """Deliveries and attempts are listed newest first, a page at a time, and by event."""
    for _ in range(3):
        await cancel_one(client, customer)
    await deliver_all(deliverer)
    for name in ("deliveries", "attempts"):
        url = f"/v1/webhooks/{endpoint['webhook_id']}/{name}"
        first = (await client.get(url, params={"limit": 2}, headers=customer.headers)).json()
        rest = (await client.get(url, params={"cursor": first["next_cursor"]}, headers=customer.headers)).json()
        ids = [row["event_id"] for row in first["data"] + rest["data"]]
        assert (len(set(ids)), first["has_more"], rest["has_more"]) == (3, True, False)
    one = (await client.get(url, params={"event_id": ids[0]}, headers=customer.headers)).json()["data"]
    assert [(row["event_id"], row["status"], row["answer"]) for row in one] == [(ids[0], 200, "thanks")]


async def test_the_log_is_kept_for_thirty_days(
    client: httpx.AsyncClient, services: Services, customer: Customer, endpoint: object, deliverer: Deliverer
) -> None:
    """Older events go with their deliveries and attempts; endpoints and younger events stay."""
    for days in (31, 29):
        job_id = await cancel_one(client, customer)
        async with services.database.transaction() as session:
            then = after(-24 * 3600 * days)
            await session.exec(update(Event).where(col(Event.job_id) == job_id).values(created_at=then))
    await deliver_all(deliverer)
    async with services.database.transaction() as session:
        await outbox.delete_old(session)
    async with services.database.transaction() as session:
        for table in (Event, Delivery, Attempt, Endpoint):
            assert len((await session.exec(select(table))).all()) == 1
