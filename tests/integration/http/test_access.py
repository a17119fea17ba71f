"""Access control: keys, scopes, unknown products, jobs and paths."""

from collections.abc import AsyncIterator

import httpx

from serve_app.http.app import create_app
from serve_app.keys import service as keys
from serve_app.keys.service import KeyTerms
from serve_app.services import Services
from tests.support.calls import JOBS, error, submit
from tests.support.world import Customer, new_customer


async def test_requests_without_a_good_key_get_401(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Missing, malformed, unknown and revoked keys get the same message."""
    async with services.database.transaction() as session:
        revoked = await keys.issue(session, customer.actor, KeyTerms("all"))
    async with services.database.transaction() as session:
        await keys.revoke(session, customer.actor, revoked.key.id)
    messages = set()
    for value in (
        None,
        "",
        "Bearer",
        "Bearer x",
        "Basic abc",
        f"Bearer {keys.new_secret('all')}",
        f"Bearer {revoked.secret}",
    ):
        response = await client.get("/v1/jobs/job_1", headers={"Authorization": value} if value is not None else {})
        assert response.status_code == 401
        assert error(response) == "invalid_api_key"
        messages.add(response.json()["detail"]["message"])
    assert len(messages) == 1


async def test_a_bad_key_is_refused_before_the_upload_is_read(client: httpx.AsyncClient) -> None:
    """A request without a valid key cannot make the server read 100 MB."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1_000_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = await client.post(JOBS, content=body(), headers=headers)
    assert response.status_code == 401
    assert read <= 1


async def test_a_key_of_another_product_gets_403(client: httpx.AsyncClient, services: Services) -> None:
    """A scope is one product or 'all'."""
    other = await new_customer(services.database, scope="propertyscan")
    response = await submit(client, other)
    assert (response.status_code, error(response)) == (403, "wrong_scope")


async def test_an_unknown_product_gets_404(client: httpx.AsyncClient, customer: Customer) -> None:
    """An unknown slug gets vertical_not_found."""
    response = await client.post("/v1/nothing/jobs", headers=customer.headers)
    assert (response.status_code, error(response)) == (404, "vertical_not_found")


async def test_another_accounts_job_looks_like_an_unknown_one(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Status and body are the same but for the request id."""
    job_id = (await submit(client, customer)).json()["job_id"]
    stranger = await new_customer(services.database)
    bodies = []
    for path in (f"/v1/jobs/{job_id}", "/v1/jobs/job_00000000000000000000"):
        response = await client.get(path, headers=stranger.headers | {"X-Request-Id": "same"})
        assert response.status_code == 404
        bodies.append(response.json())
    assert bodies[0] == bodies[1]
    events = await client.get(f"/v1/jobs/{job_id}/events", headers=stranger.headers)
    assert (events.status_code, error(events)) == (404, "job_not_found")


async def test_unknown_paths_and_methods_get_the_common_error_body(client: httpx.AsyncClient) -> None:
    """404 and 405 have the fields of every error."""
    assert error(await client.get("/nothing/here")) == "not_found"
    response = await client.delete("/v1/models/status")
    assert (response.status_code, error(response)) == (405, "method_not_allowed")


async def test_with_ids_by_server_the_app_adds_no_second_request_id(services: Services) -> None:
    """The server in front sends the id, and the body has the same one."""
    transport = httpx.ASGITransport(create_app(services, ids_by_server=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/nothing", headers={"X-Request-Id": "its own; name"})
    assert answer.json()["detail"]["request_id"] == "its own; name"
    assert "x-request-id" not in answer.headers
