"""`webhook_url` of a submit: an endpoint for one job."""

import httpx
import pytest
from standardwebhooks import Webhook

from serve_app.webhooks.delivery import Deliverer
from tests.integration.webhooks.conftest import create
from tests.integration.webhooks.test_delivery import cancel_one
from tests.support.calls import error, submit
from tests.support.receiver import Receiver
from tests.support.world import Customer, tone


async def test_a_webhook_url_gets_its_jobs_events(
    client: httpx.AsyncClient, customer: Customer, receiver: Receiver, deliverer: Deliverer
) -> None:
    """It gets this job's events and no other's, signed with the secret of the answer, beside the account's endpoint."""
    await create(client, customer, url=f"{receiver.url}/account")
    answer = (await submit(client, customer, webhook_url=f"{receiver.url}/job")).json()
    await client.post(f"/v1/jobs/{answer['job_id']}/cancel", headers=customer.headers)
    await cancel_one(client, customer)
    await deliverer.deliver_due()
    (request,) = [request for request in receiver.received if request.path == "/hook/job"]
    assert request.message["data"]["job_id"] == answer["job_id"]
    Webhook(answer["webhook_secret"]).verify(request.body, request.headers)
    assert len(receiver.received) == 3
    view = await client.get(f"/v1/webhooks/{answer['webhook_id']}", headers=customer.headers)
    assert view.json()["job_id"] == answer["job_id"]
    assert len((await client.get("/v1/webhooks", headers=customer.headers)).json()) == 1


async def test_a_repeated_submit_gets_the_same_secret(
    client: httpx.AsyncClient, customer: Customer, receiver: Receiver
) -> None:
    """The same idempotency key gives the same answer; with another URL it is another request."""
    headers = {"Idempotency-Key": "once"}
    first, second = [
        (await submit(client, customer, webhook_url=receiver.url, headers=headers)).json() for _ in range(2)
    ]
    assert first == second
    other = await submit(client, customer, webhook_url=f"{receiver.url}/other", headers=headers)
    assert (other.status_code, error(other)) == (422, "invalid_request")


async def test_a_submit_without_it_has_no_such_fields(client: httpx.AsyncClient, customer: Customer) -> None:
    """The answer of the reference stays as it is."""
    assert not {"webhook_id", "webhook_secret"} & (await submit(client, customer)).json().keys()


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://a:b@example.com/", "hook"])
async def test_a_webhook_url_that_is_not_delivered_to_is_refused(
    client: httpx.AsyncClient, customer: Customer, url: str
) -> None:
    """It is refused with the reason before anything is charged."""
    response = await submit(client, customer, webhook_url=url)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == "webhook_url"
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


async def test_a_demo_has_no_webhooks(client: httpx.AsyncClient) -> None:
    """Anonymous callers cannot make the service send requests."""
    form = {"role_title": "Engineer", "webhook_url": "https://example.com/hook"}
    files = {"file": ("call.wav", tone(2), "audio/wav")}
    response = await client.post("/v1/demo/recruitscreen/jobs", data=form, files=files)
    assert (response.status_code, response.json()["detail"]["field"]) == (422, "webhook_url")
