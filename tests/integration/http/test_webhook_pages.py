"""The webhook pages: an endpoint's whole life by forms, and its log."""

import re

import httpx
import pytest

from serve_app.services import Services
from serve_app.settings import Settings
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.sending import LEASE_S, Sender
from tests.support.pages import signed_in
from tests.support.receiver import Answer, receiving
from tests.support.world import Customer, new_customer

PAGE = "/dashboard/webhooks"
SECRET = re.compile(r"whsec_[0-9A-Za-z+/=]+")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that allow deliveries to this machine."""
    settings.webhook_allow_loopback = True
    return settings


async def created(client: httpx.AsyncClient, token: str, url: str, **fields: str) -> str:
    """Create an endpoint with the form. Returns the address of its page."""
    made = await client.post(f"{PAGE}/create", data={"form_token": token, "url": url} | fields)
    assert made.status_code == 200, made.text
    return re.search(rf"{PAGE}/ep_\w+", made.text)[0]  # type: ignore[index]


async def test_an_endpoint_is_created_and_its_secret_shown_once(client: httpx.AsyncClient, customer: Customer) -> None:
    """The form's choices reach the API, and no later page has the secret."""
    token = await signed_in(client, customer)
    assert "No endpoint yet" in (await client.get(PAGE)).text
    form = {"description": "<b>ATS</b>", "event job.completed": "on", "event credits.low": "on"}
    made = await client.post(f"{PAGE}/create", data={"form_token": token, "url": "https://example.com/x"} | form)
    assert SECRET.search(made.text)
    assert "&lt;b&gt;ATS&lt;/b&gt;" in made.text
    row = (await client.get("/v1/webhooks", headers=customer.headers)).json()[0]
    assert (row["url"], row["events"], row["products"]) == (
        "https://example.com/x", ["job.completed", "credits.low"], None,
    )  # fmt: skip
    page = f"{PAGE}/{row['webhook_id']}"
    for path in (PAGE, page):
        assert not SECRET.search((await client.get(path)).text)
    rotated = await client.post(f"{page}/rotate", data={"form_token": token})
    assert SECRET.search(rotated.text)[0] != SECRET.search(made.text)[0]  # type: ignore[index]
    assert "Older public key" in rotated.text
    again = await client.post(f"{page}/rotate", data={"form_token": token})
    assert "The last rotation of this endpoint ends at" in again.text


@pytest.mark.parametrize(
    ("url", "says"), [("ftp://example.com", "https"), ("https://10.0.0.1/", "10.0.0.1"), ("", "URL"), (" ", "URL")]
)
async def test_a_refused_endpoint_is_explained_in_place(
    client: httpx.AsyncClient, customer: Customer, url: str, says: str
) -> None:
    """The page keeps what was typed and names what is wrong."""
    token = await signed_in(client, customer)
    form = {"form_token": token, "url": url, "description": "kept", "event job.failed": "on"}
    answer = await client.post(f"{PAGE}/create", data=form)
    assert (answer.status_code, 'value="kept"' in answer.text) == (422, True)
    assert says.lower() in re.search(r'role="alert">([^<]*)', answer.text)[1].lower()  # type: ignore[index]
    assert re.search(r'name="event job.failed" checked', answer.text)


async def test_a_test_is_delivered_its_attempts_are_shown_and_it_is_replayed(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A refused delivery shows status and answer as text; a replay arrives with the same id."""
    token = await signed_in(client, customer)
    deliverer = Deliverer(services.database, services.bus, Sender.of(services.settings), LEASE_S)
    with receiving() as receiver:
        receiver.answer = lambda _: Answer(502, body=b"<script>alert(1)</script>")
        page = await created(client, token, receiver.url)
        sent = await client.post(f"{page}/test", data={"form_token": token})
        assert "A test event is on its way" in (await client.get(sent.headers["location"])).text
        await deliverer.deliver_due()
        event_id = receiver.received[0].id
        attempts = (await client.get(f"{page}?event={event_id}")).text
        assert "502" in attempts
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in attempts
        receiver.answer = lambda _: Answer()
        await client.post(f"{page}/replay", data={"form_token": token, "event_id": event_id})
        await deliverer.deliver_due()
        assert [one.id for one in receiver.received] == [event_id, event_id]
    assert event_id in (await client.get(f"{page}?status=delivered")).text
    assert "No delivery is in this state" in (await client.get(f"{page}?status=missed")).text


async def test_an_endpoint_is_switched_off_on_and_deleted(client: httpx.AsyncClient, customer: Customer) -> None:
    """Off and on show on the page; nothing to replay is said; a deleted endpoint is gone."""
    token = await signed_in(client, customer)
    page = await created(client, token, "https://example.com/x")
    form = {"form_token": token}
    off = await client.post(f"{page}/off", data=form)
    assert "counts as missed" in (await client.get(off.headers["location"])).text
    assert (await client.post(f"{page}/test", data=form)).status_code == 409
    await client.post(f"{page}/on", data=form)
    assert (await client.post(f"{page}/replay", data=form | {"event_id": "e" * 33})).status_code == 422
    assert (await client.get(page, params={"event": "\0"})).status_code == 422
    replayed = await client.post(f"{page}/replay", data=form)
    assert "nothing to replay" in (await client.get(replayed.headers["location"])).text
    await client.post(f"{page}/delete", data=form)
    assert (await client.get(page)).status_code == 404


async def test_another_accounts_endpoint_does_not_exist(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Its page and every form answer 404, and a form without the token changes nothing."""
    token = await signed_in(client, customer)
    page = await created(client, token, "https://example.com/x")
    assert (await client.post(f"{page}/delete", data={})).status_code == 422
    token = await signed_in(client, await new_customer(services.database))
    assert (await client.get(page)).status_code == 404
    for action in ("rotate", "test", "replay", "on", "off", "delete"):
        assert (await client.post(f"{page}/{action}", data={"form_token": token})).status_code == 404
    assert len((await client.get("/v1/webhooks", headers=customer.headers)).json()) == 1
