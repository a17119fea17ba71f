"""What an owner does with jobs over the API: list, wait, cancel, retry, delete, export, stream with a token."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http.tokens import JobTokens
from serve_app.jobs.models import Job
from serve_app.services import Services
from tests.support.calls import error, stream, submit
from tests.support.fakes import RecordedNotifications, local_pool
from tests.support.world import Customer, new_customer, tone


async def finished(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A completed job."""
    job_id = str((await submit(client, customer)).json()["job_id"])
    await Executor(services, pool).run(job_id)
    return job_id


async def failed(client: httpx.AsyncClient, services: Services, customer: Customer) -> str:
    """A failed job whose input is still there."""
    services.settings.max_attempts = 1
    pool = local_pool(services.database, asr={"fail": "inference"})
    job_id = await finished(client, services, pool, customer)
    await pool.close()
    return job_id


async def balance(client: httpx.AsyncClient, customer: Customer) -> dict[str, int]:
    response = await client.get("/v1/credits", headers=customer.headers)
    return dict(response.json())


async def test_pages_hold_every_job_once_newest_first(client: httpx.AsyncClient, customer: Customer) -> None:
    """Five jobs in pages of two."""
    made = [(await submit(client, customer)).json()["job_id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/jobs", params=params, headers=customer.headers)).json()
        seen += [job["job_id"] for job in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_a_list_holds_only_what_was_asked_for(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """By state, and never another account's."""
    canceled, queued = [(await submit(client, customer)).json()["job_id"] for _ in range(2)]
    await client.post(f"/v1/jobs/{canceled}/cancel", headers=customer.headers)
    stranger = await new_customer(services.database)
    listed = (await client.get("/v1/jobs?status=queued", headers=customer.headers)).json()["data"]
    assert [job["job_id"] for job in listed] == [queued]
    assert (await client.get("/v1/jobs", headers=stranger.headers)).json()["data"] == []


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=WzEsMl0", "limit=0", "limit=101", "status=unknown"])
async def test_a_bad_page_request_gets_422(client: httpx.AsyncClient, customer: Customer, query: str) -> None:
    """Naming the field."""
    response = await client.get(f"/v1/jobs?{query}", headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == query.split("=", maxsplit=1)[0]


async def test_a_long_poll_returns_when_the_job_is_over(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """And not before."""
    job_id = (await submit(client, customer)).json()["job_id"]
    waiting = asyncio.create_task(client.get(f"/v1/jobs/{job_id}?wait=30", headers=customer.headers))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await Executor(services, pool).run(job_id)
    assert (await asyncio.wait_for(waiting, 3)).json()["status"] == "completed"
    short = await client.get(
        f"/v1/jobs/{(await submit(client, customer)).json()['job_id']}?wait=1", headers=customer.headers
    )
    assert short.json()["status"] == "queued"


async def test_canceling_a_queued_job_releases_its_credits(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """At once; it is never run, and canceling again changes nothing."""
    job_id = (await submit(client, customer)).json()["job_id"]
    assert await balance(client, customer) == {"balance": 99, "held": 1}
    for _ in range(2):
        response = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
        assert (response.status_code, response.json()["status"]) == (200, "canceled")
    assert await balance(client, customer) == {"balance": 100, "held": 0}
    assert not await Executor(services, pool).run(job_id)


async def test_a_finished_job_cannot_be_canceled(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """409, and its credits stay spent."""
    job_id = await finished(client, services, pool, customer)
    response = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")
    assert await balance(client, customer) == {"balance": 99, "held": 0}


async def test_a_failed_job_is_retried_without_charge(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """It completes on the second run; its stream tells the whole story and ends once."""
    job_id = await failed(client, services, customer)
    assert await balance(client, customer) == {"balance": 99, "held": 1}
    response = await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    assert (response.status_code, response.json()["credits_charged"]) == (202, 0)
    await Executor(services, pool).run(job_id)
    assert await balance(client, customer) == {"balance": 99, "held": 0}
    events = [data for name, _, data in await stream(client, customer, job_id) if name == "status"]
    assert [event["status"] for event in events] == [
        "queued", "loading_weights", "processing_inference", "failed",
        "queued", "loading_weights", "processing_inference", "completed",
    ]  # fmt: skip
    assert [event["terminal"] for event in events] == [False] * (len(events) - 1) + [True]


async def test_a_retry_after_its_window_is_refused(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The recording is gone by then, and the job refunded."""
    job_id = await failed(client, services, customer)
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(expires_at=Job.created_at))
    response = await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


async def test_a_deleted_job_leaves_a_receipt(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """No content, but state, times and credits."""
    job_id = await finished(client, services, pool, customer)
    assert (await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)).json() == {
        "job_id": job_id,
        "deleted": True,
    }
    receipt = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert receipt["result"] is None
    assert receipt["deleted_at"] is not None
    assert (receipt["status"], receipt["credits_charged"]) == ("completed", 1)


async def test_a_running_job_must_be_canceled_before_it_is_deleted(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """409 says so."""
    job_id = (await submit(client, customer)).json()["job_id"]
    response = await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


@pytest.mark.parametrize(
    ("wanted", "begins", "media_type"),
    [("txt", "[", "text/plain"), ("srt", "1\n00:00:0", "application/x-subrip"), ("vtt", "WEBVTT", "text/vtt")],
)
async def test_a_transcript_is_exported(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer,
    wanted: str, begins: str, media_type: str,
) -> None:  # fmt: skip
    """In the formats people take elsewhere."""
    job_id = await finished(client, services, pool, customer)
    response = await client.get(f"/v1/jobs/{job_id}/transcript?format={wanted}", headers=customer.headers)
    assert response.headers["content-type"].startswith(media_type)
    assert response.text.startswith(begins)


async def test_an_unfinished_job_has_no_transcript(client: httpx.AsyncClient, customer: Customer) -> None:
    """409 until it completes."""
    job_id = (await submit(client, customer)).json()["job_id"]
    response = await client.get(f"/v1/jobs/{job_id}/transcript", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


async def test_a_stream_token_opens_one_job_without_a_header(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """As a browser's EventSource needs it; other jobs stay closed, and forged tokens open nothing."""
    job_id = await finished(client, services, pool, customer)
    other = (await submit(client, customer)).json()["job_id"]
    given = (await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)).json()
    opened = await client.get(given["events_url"])
    assert opened.status_code == 200
    assert '"terminal": true' in opened.text
    assert (await client.get(f"/v1/jobs/{other}/events?token={given['token']}")).status_code == 404
    forged = JobTokens("another secret").issue(job_id)
    for token in (forged, "", given["token"] + "x"):
        assert (await client.get(f"/v1/jobs/{job_id}/events?token={token}")).status_code == 401


async def test_metadata_comes_back_as_it_was_sent(client: httpx.AsyncClient, customer: Customer) -> None:
    """The caller's own labels."""
    job_id = (await submit(client, customer, metadata='{"candidate": 17, "tags": ["a"]}')).json()["job_id"]
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert job["metadata"] == {"candidate": 17, "tags": ["a"]}
    refused = await submit(client, customer, metadata="[1]")
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "metadata")


async def test_a_quote_costs_nothing(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """Credits and time, from a number or from the recording itself, of which nothing is kept."""
    quoted = await client.post("/v1/recruitscreen/quote", data={"duration_s": "412"}, headers=customer.headers)
    assert quoted.json()["credits"] == 7
    assert quoted.json()["cold"] is True
    files = {"file": ("call.wav", tone(61))}
    measured = await client.post("/v1/recruitscreen/quote", files=files, headers=customer.headers)
    assert (measured.json()["credits"], measured.json()["duration_s"]) == (2, 61.0)
    assert await balance(client, customer) == {"balance": 100, "held": 0}
    nothing = await client.post("/v1/recruitscreen/quote", data={}, headers=customer.headers)
    assert nothing.status_code == 422


async def test_models_are_asked_for_while_the_recording_arrives(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """After the key was checked and before the body is there, so that loading and uploading overlap."""
    queue = services.queue
    assert isinstance(queue, RecordedNotifications)
    seen: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(queue.expected)
            yield b'Content-Disposition: form-data; name="role_title"\r\n\r\nEngineer\r\n--x\r\n'

    headers = {"content-type": "multipart/form-data; boundary=x"}
    await client.post("/v1/recruitscreen/jobs", headers=headers, content=body())
    assert (queue.expected, seen) == (0, [])
    await client.post("/v1/recruitscreen/jobs", headers=headers | customer.headers, content=body())
    assert seen == [1, 1, 1]
