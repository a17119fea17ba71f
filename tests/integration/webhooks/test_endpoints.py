"""Endpoints over the API: creation, change, rotation, deletion, and who may do it."""

from typing import Any

import httpx
import pytest
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError

from serve_app.services import Services
from serve_app.storage.database import after
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.models import Endpoint, Secret
from tests.integration.webhooks.conftest import create
from tests.integration.webhooks.test_delivery import cancel_one, verifies_v1a
from tests.support.calls import error
from tests.support.receiver import Received, Receiver
from tests.support.world import Customer, new_customer

URL = "https://example.com/hook"


async def test_a_secret_is_shown_once_and_not_stored(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Only the creation shows it; lists, the endpoint and the database do not have it."""
    made = await create(client, customer, url=URL, description="ATS", events=["job.failed", "job.failed"])
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["products"], made["enabled"]) == (["job.failed"], None, True)
    listed = (await client.get("/v1/webhooks", headers=customer.headers)).json()
    one = (await client.get(f"/v1/webhooks/{made['webhook_id']}", headers=customer.headers)).json()
    assert listed == [one]
    assert one == {name: value for name, value in made.items() if name != "secret"}
    async with services.database.transaction() as session:
        rows = [*(await session.exec(select(Secret))).all(), *(await session.exec(select(Endpoint))).all()]
    assert made["secret"].removeprefix("whsec_") not in str([row.model_dump() for row in rows])


async def test_an_account_has_at_most_ten_endpoints(client: httpx.AsyncClient, customer: Customer) -> None:
    """The eleventh is a 409 that names the limit; after a deletion there is room again."""
    made = [await create(client, customer, url=URL) for _ in range(10)]
    refused = await client.post("/v1/webhooks", json={"url": URL}, headers=customer.headers)
    assert (refused.status_code, error(refused)) == (409, "conflict")
    assert "10" in refused.json()["detail"]["message"]
    deleted = await client.delete(f"/v1/webhooks/{made[0]['webhook_id']}", headers=customer.headers)
    assert deleted.status_code == 204
    await create(client, customer, url=URL)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://user:secret@example.com/"}, "url"),
        ({"url": "https://example.com/" + "a" * 2000}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["job.exploded"]}, "events.0"),
        ({"url": URL, "products": ["nothing"]}, "products"),
        ({"url": URL, "evnts": ["job.failed"]}, "evnts"),
        ({"url": URL, "description": "\0"}, "description"),
    ],
)
async def test_a_wrong_field_is_named(
    client: httpx.AsyncClient, customer: Customer, body: dict[str, Any], field: str
) -> None:
    """A request that cannot succeed gets 422 with the field."""
    response = await client.post("/v1/webhooks", json=body, headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == field


async def test_only_the_owner_with_a_key_for_all_products_manages_endpoints(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A key of one product gets 403, another account 404, as for an endpoint that does not exist."""
    made = await create(client, customer, url=URL)
    scoped = await client.post("/v1/keys", json={"scope": "recruitscreen"}, headers=customer.headers)
    bearer = {"Authorization": f"Bearer {scoped.json()['api_key']}"}
    assert error(await client.get("/v1/webhooks", headers=bearer)) == "wrong_scope"
    stranger = await new_customer(services.database)
    for webhook_id in (made["webhook_id"], "ep_unknown", "ep_%00"):
        one = f"/v1/webhooks/{webhook_id}"
        for method, path, body in [
            ("GET", one, None), ("PATCH", one, {}), ("DELETE", one, None), ("POST", f"{one}/rotate", {}),
            ("POST", f"{one}/test", None), ("POST", f"{one}/replay", {"missed": True}),
            ("GET", f"{one}/deliveries", None), ("GET", f"{one}/attempts", None),
        ]:  # fmt: skip
            response = await client.request(method, path, json=body, headers=stranger.headers)
            assert (response.status_code, error(response)) == (404, "not_found"), (method, path)


async def test_an_endpoint_is_changed_and_switched_off_and_on(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], receiver: Receiver, deliverer: Deliverer
) -> None:
    """Fields that are not sent stay; while it is off it misses events, which a replay of the missed ones sends."""
    one = f"/v1/webhooks/{endpoint['webhook_id']}"

    async def change(**body: Any) -> dict[str, Any]:
        response = await client.patch(one, json=body, headers=customer.headers)
        assert response.status_code == 200, response.text
        changed: dict[str, Any] = response.json()
        return changed

    assert (await change(description="ATS", events=["job.canceled"]))["url"] == receiver.url
    assert (await change(events=None))["description"] == "ATS"
    off = await change(enabled=False)
    assert (off["enabled"], off["disabled_reason"]) == (False, "owner")
    await cancel_one(client, customer)
    assert await deliverer.deliver_due() == 0
    refused = await client.post(f"{one}/replay", json={"missed": True}, headers=customer.headers)
    assert (refused.status_code, error(refused)) == (409, "conflict")
    assert (await change(enabled=True))["enabled"]
    assert await deliverer.deliver_due() == 0
    replayed = await client.post(f"{one}/replay", json={"missed": True}, headers=customer.headers)
    assert (replayed.status_code, replayed.json()) == (202, {"replayed": 1})
    await deliverer.deliver_due()
    assert receiver.types == ["job.canceled"]


def verifies(request: Received, secret: str) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


async def rotate(client: httpx.AsyncClient, customer: Customer, webhook_id: str, **body: Any) -> httpx.Response:
    return await client.post(f"/v1/webhooks/{webhook_id}/rotate", json=body, headers=customer.headers)


async def test_after_a_rotation_both_secrets_verify_for_a_day(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, Any],
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """Messages carry both generations' signatures until the overlap has ended; then the new one's alone."""
    new = (await rotate(client, customer, endpoint["webhook_id"])).json()
    old_key, new_key = new["public_keys"][1]["public_key"], new["public_keys"][0]["public_key"]
    assert old_key == endpoint["public_keys"][0]["public_key"]
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    assert verifies(receiver.received[0], endpoint["secret"])
    assert verifies(receiver.received[0], new["secret"])
    assert verifies_v1a(receiver.received[0], old_key)
    assert verifies_v1a(receiver.received[0], new_key)
    async with services.database.transaction() as session:
        for secret in (await session.exec(select(Secret))).all():
            if secret.expires_at is not None:
                secret.expires_at = after(0)
                session.add(secret)
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    assert not verifies(receiver.received[1], endpoint["secret"])
    assert verifies(receiver.received[1], new["secret"])


async def test_a_second_rotation_waits_for_the_first_unless_forced(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], receiver: Receiver, deliverer: Deliverer
) -> None:
    """409 while two secrets sign; forced, the oldest ends at once and the two newest sign."""
    second = (await rotate(client, customer, endpoint["webhook_id"])).json()["secret"]
    refused = await rotate(client, customer, endpoint["webhook_id"])
    assert (refused.status_code, error(refused)) == (409, "conflict")
    forced = await rotate(client, customer, endpoint["webhook_id"], force=True)
    assert forced.status_code == 201
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    (request,) = receiver.received
    assert [verifies(request, secret) for secret in (endpoint["secret"], second, forced.json()["secret"])] == [
        False, True, True,
    ]  # fmt: skip


async def test_a_leaked_secret_ends_at_once_without_an_overlap(
    client: httpx.AsyncClient, customer: Customer, endpoint: dict[str, Any], receiver: Receiver, deliverer: Deliverer
) -> None:
    """With `overlap_s` 0 only the new secret signs."""
    new = (await rotate(client, customer, endpoint["webhook_id"], overlap_s=0)).json()
    assert len(new["public_keys"]) == 1
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    assert [verifies(receiver.received[0], secret) for secret in (endpoint["secret"], new["secret"])] == [False, True]


async def test_a_test_event_reaches_one_endpoint_whatever_its_filters(
    client: httpx.AsyncClient, customer: Customer, receiver: Receiver, deliverer: Deliverer
) -> None:
    """`endpoint.test` goes to the endpoint that is tested, and to no other."""
    tested = await create(client, customer, url=f"{receiver.url}/a", events=["job.failed"])
    await create(client, customer, url=f"{receiver.url}/b")
    sent = await client.post(f"/v1/webhooks/{tested['webhook_id']}/test", headers=customer.headers)
    assert sent.status_code == 202
    await deliverer.deliver_due()
    (request,) = receiver.received
    assert (request.path, request.type, request.id) == ("/hook/a", "endpoint.test", sent.json()["event_id"])
