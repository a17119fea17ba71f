"""The API over HTTP messages, on the app that Ray serves, with a real PostgreSQL and a real Valkey behind it."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs.lifecycle import transition
from serve_app.jobs.models import JobState
from serve_app.keys import service as keys
from serve_app.keys.service import KeyTerms
from serve_app.services import Services
from tests.support.calls import JOBS, error, stream, submit
from tests.support.world import Customer, new_customer, tone


async def test_a_submit_answers_202_as_the_reference_says(client: httpx.AsyncClient, customer: Customer) -> None:
    """Every field of the 202."""
    response = await submit(client, customer, seconds=61)
    body = response.json()
    assert response.status_code == 202
    job_id = body["job_id"]
    assert len(job_id) == 24
    assert body == {
        "job_id": job_id,
        "status": "queued",
        "credits_charged": 2,
        "credits_remaining": 98,
        "status_url": f"/v1/jobs/{job_id}",
        "events_url": f"/v1/jobs/{job_id}/events",
    }


async def test_an_accepted_job_is_hinted_to_the_executor(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """After the commit, once."""
    job_id = (await submit(client, customer)).json()["job_id"]
    assert services.queue.hinted == [job_id]  # type: ignore[attr-defined]


async def test_a_finished_job_shows_its_result(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The result has the reference's fields."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run(job_id)
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert job["status"] == "completed"
    assert job["result"].keys() >= {"duration_s", "transcript", "metrics", "assessment"}
    assert job["result"]["transcript"][0].keys() == {"start", "end", "speaker", "text"}
    assert job["result"]["metrics"].keys() >= {"talk_ratio", "interruptions"}
    assert job["result"]["assessment"].keys() >= {
        "summary", "recommendation", "scores", "highlights", "red_flags", "questions_for_next_round",
        "submittal_note", "model",
    }  # fmt: skip


async def test_requests_without_a_good_key_get_401(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Missing, malformed, unknown and revoked keys, all in the same words."""
    async with services.database.transaction() as session:
        revoked = await keys.issue(session, customer.account_id, KeyTerms("all"))
    async with services.database.transaction() as session:
        await keys.revoke(session, customer.account_id, revoked.key.id)
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
    """A stranger cannot make the server take 100 MB."""
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
    """Scope is one product or all."""
    other = await new_customer(services.database, scope="propertyscan")
    response = await submit(client, other)
    assert (response.status_code, error(response)) == (403, "wrong_scope")


async def test_an_unknown_product_gets_404(client: httpx.AsyncClient, customer: Customer) -> None:
    """And the answer names those there are."""
    response = await client.post("/v1/nothing/jobs", headers=customer.headers)
    assert (response.status_code, error(response)) == (404, "vertical_not_found")


async def test_another_accounts_job_looks_like_an_unknown_one(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Same status, same body but for the request id."""
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


async def test_an_empty_balance_gets_the_402_of_the_reference(client: httpx.AsyncClient, services: Services) -> None:
    """The body says how many credits were needed and where to get them; nothing is charged."""
    poor = await new_customer(services.database, credits_=1)
    response = await submit(client, poor, seconds=61)
    detail = response.json()["detail"]
    assert response.status_code == 402
    assert detail["error"] == "insufficient_credits"
    assert detail["credits_needed"] == 2
    assert detail["message"] == "Credit balance exhausted. Subscribe to continue."
    assert detail["upgrade_url"].endswith("/pricing")
    assert (await submit(client, poor)).json()["credits_remaining"] == 0


@pytest.mark.parametrize(
    ("fields", "files", "field"),
    [
        ({"role_title": "x"}, {"other": b"1"}, "file"),
        ({}, {"file": b"1"}, "role_title"),
        ({"role_title": "   "}, {"file": b"1"}, "role_title"),
        ({"role_title": "x" * 201}, {"file": b"1"}, "role_title"),
        ({"role_title": "x", "num_speakers": "many"}, {"file": b"1"}, "num_speakers"),
        ({"role_title": "x", "duration_s": "-1"}, {"file": b"1"}, "duration_s"),
        ({"role_title": "x", "file": "not a file"}, {"other": b"1"}, "file"),
    ],
)
async def test_a_bad_form_gets_422_naming_the_field(
    client: httpx.AsyncClient, customer: Customer, fields: dict[str, str], files: dict[str, bytes], field: str
) -> None:
    """What was wrong, and where."""
    response = await client.post(JOBS, data=fields, files=files, headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == field


async def test_a_body_that_is_no_form_gets_422(client: httpx.AsyncClient, customer: Customer) -> None:
    """JSON, nothing at all, and multipart that is not."""
    for headers, body in (
        ({"Content-Type": "application/json"}, b"{}"),
        ({}, b""),
        ({"Content-Type": "multipart/form-data"}, b"x"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\nbroken"),
    ):
        response = await client.post(JOBS, content=body, headers=customer.headers | headers)
        assert response.status_code == 422, (headers, response.text)
        error(response)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "media_unreadable", id="nothing"),
        pytest.param(b"\0" * 5000, "media_unreadable", id="zeros"),
        pytest.param(b"RIFF....WAVE", "media_unreadable", id="a bare head"),
        pytest.param(b"<html>not found</html>" * 100, "media_unreadable", id="a page"),
        pytest.param(tone(0), "media_unreadable", id="a WAV without a sample"),
        pytest.param(tone(0.2), "media_too_short", id="a blink"),
    ],
)
async def test_what_is_no_recording_is_refused_before_charging(
    client: httpx.AsyncClient, customer: Customer, content: bytes, code: str
) -> None:
    """422 with the media error that says what it is, and the credits are all there."""
    response = await client.post(
        JOBS, data={"role_title": "x"}, files={"file": ("a.mp3", content)}, headers=customer.headers
    )
    assert (response.status_code, error(response)) == (422, code)
    assert (await submit(client, customer)).json()["credits_remaining"] == 99


async def test_the_same_idempotency_key_gets_the_same_answer(client: httpx.AsyncClient, customer: Customer) -> None:
    """One job, one charge, and the second upload is not kept."""
    headers = {"Idempotency-Key": "upload-1"}
    first, second = [await submit(client, customer, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert (await submit(client, customer)).json()["credits_remaining"] == 98
    third = await submit(client, customer, seconds=3, headers=headers)
    assert third.status_code == 422


async def test_the_stream_replays_the_whole_history(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Late subscribers see every transition, numbered, ending with the terminal one; twice the same."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run(job_id)
    first, second = [await stream(client, customer, job_id) for _ in range(2)]
    assert first == second
    states = [data["status"] for name, _, data in first if name == "status"]
    assert states == ["queued", "loading_weights", "processing_inference", "completed"]
    assert [seq for _, seq, _ in first] == list(range(1, len(first) + 1))
    assert [data["terminal"] for _, _, data in first] == [False] * (len(first) - 1) + [True]


async def test_the_stream_resumes_after_the_last_event_id(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Only what is newer; 204, at which a browser gives up, when all was heard; junk is taken for "from the start"."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run(job_id)
    whole = await stream(client, customer, job_id)
    assert await stream(client, customer, job_id, last_event_id="2") == whole[2:]
    headers = customer.headers | {"Last-Event-ID": str(len(whole))}
    assert (await client.get(f"/v1/jobs/{job_id}/events", headers=headers)).status_code == 204
    assert await stream(client, customer, job_id, last_event_id="x' OR 1=1") == whole


async def test_a_stream_names_its_time_to_reconnect(client: httpx.AsyncClient, customer: Customer) -> None:
    """Two seconds, once, with the first event of every stream, also of one that goes on."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    for heard in ({}, {"Last-Event-ID": "1"}):
        text = (await client.get(f"/v1/jobs/{job_id}/events", headers=customer.headers | heard)).text
        first, *_ = text.split("\n\n")
        assert "retry: 2000" in first.splitlines()
        assert text.count("retry:") == 1


async def test_an_early_subscriber_sees_events_as_they_happen(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The stream opened before the work ends with the job, and the bus makes it quick."""
    job_id = (await submit(client, customer)).json()["job_id"]
    following = asyncio.create_task(stream(client, customer, job_id))
    await asyncio.sleep(0.3)
    async with services.database.transaction() as session:
        await transition(session, job_id, JobState.CANCELED)
    events = await asyncio.wait_for(following, 3)
    assert [data["status"] for _, _, data in events] == ["queued", "canceled"]


async def test_the_model_status_is_public(client: httpx.AsyncClient) -> None:
    """No key needed; the reference's fields are there."""
    body = (await client.get("/v1/models/status")).json()
    assert {"role", "name", "state", "footprint_mib"} <= body["models"][0].keys()
    assert body["queue_depths"] == {}
    assert body["degraded"] is False


async def test_unknown_addresses_and_methods_answer_in_our_form(client: httpx.AsyncClient) -> None:
    """404 and 405 carry the common fields."""
    assert error(await client.get("/nothing/here")) == "not_found"
    response = await client.delete("/v1/models/status")
    assert (response.status_code, error(response)) == (405, "method_not_allowed")


async def test_the_documentation_is_served(client: httpx.AsyncClient) -> None:
    """Interactive OpenAPI at /docs, with the upload form described."""
    assert (await client.get("/docs")).status_code == 200
    assert (await client.get("/redoc")).status_code == 404
    schema = (await client.get("/openapi.json")).json()
    form = schema["paths"]["/v1/{vertical}/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file", "role_title"]


async def test_the_documentation_asks_no_other_host(client: httpx.AsyncClient) -> None:
    """Page, scripts and styles name none to load from, what they name is there, and the browser is told to ask none."""
    page = await client.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 4
    for address in named:
        assert address.startswith(("/docs/", "/static/"))
        assert (await client.get(address)).status_code == 200
    assert "//" not in page.text + (await client.get("/static/api_docs.js")).text
    assert set(re.findall(r"url\([\"']?(\w+:|//)", (await client.get("/docs/assets/swagger-ui.css")).text)) == {"data:"}
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "//" not in page.headers["content-security-policy"]


async def test_the_dashboard_is_served(client: httpx.AsyncClient) -> None:
    """The page that shows the pool needs no key and loads nothing from elsewhere."""
    page = await client.get("/dashboard")
    assert page.status_code == 200
    assert "/v1/models/status" in page.text
    assert "https://" not in page.text
