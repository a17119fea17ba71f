"""Pages of other origins call the API from a browser, with keys and tokens and never with cookies."""

import httpx
import pytest

from serve_app.http.app import create_app
from serve_app.services import Services
from tests.support.calls import JOBS, submit
from tests.support.world import Customer

ORIGIN = "https://app.customer.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,idempotency-key",
}


async def test_any_origin_may_ask_and_submit_by_default(client: httpx.AsyncClient, customer: Customer) -> None:
    """A preflight needs no key; answers and errors are readable, and cookies are not allowed."""
    preflight = await client.options(JOBS, headers=PREFLIGHT)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {"authorization", "idempotency-key"} <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )
    accepted = await submit(client, customer, headers={"Origin": ORIGIN})
    refused = await client.get("/v1/credits", headers={"Origin": ORIGIN})
    assert (accepted.status_code, refused.status_code) == (202, 401)
    for answer in (accepted, refused):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_stream_token_opens_a_stream_for_another_origin(client: httpx.AsyncClient, customer: Customer) -> None:
    """An `EventSource` sends no preflight; its answer names the origin."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    url = (await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)).json()["events_url"]
    stream = await client.get(url, headers={"Origin": ORIGIN, "Accept": "text/event-stream"})
    assert (stream.status_code, stream.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("path", ["/sign-in", "/interviews", "/dashboard", "/docs", "/static/style.css"])
async def test_pages_are_not_for_other_origins(client: httpx.AsyncClient, path: str) -> None:
    """The web app knows its visitors by cookies: no page of another origin may read it."""
    answer = await client.get(path, headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_setting_narrows_the_origins(services: Services, customer: Customer) -> None:
    """With a list of origins only those are named; a refused preflight is no error of its own."""
    services.settings.cors_origins = [ORIGIN]
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for origin, named in ((ORIGIN, ORIGIN), ("https://elsewhere.example", None)):
            preflight = await client.options(JOBS, headers=PREFLIGHT | {"Origin": origin})
            answer = await client.get("/v1/credits", headers=customer.headers | {"Origin": origin})
            assert (preflight.status_code, answer.status_code) == (200, 200)
            for response in (preflight, answer):
                assert response.headers.get("access-control-allow-origin") == named
                assert "Origin" in response.headers["vary"]
