"""The event stream of a job: replay, resume, reconnection, keep-alives, tokens."""

import asyncio

import httpx
import pytest
from fastapi import routing

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http import tokens
from serve_app.http.tokens import JobTokens
from serve_app.jobs.lifecycle import transition
from serve_app.jobs.models import JobState
from serve_app.services import Services
from tests.support.calls import stream, submit
from tests.support.world import Customer


async def test_the_stream_replays_the_whole_history(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Late subscribers get every event in order, ending with the terminal one."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    first, second = [await stream(client, customer, job_id) for _ in range(2)]
    assert first == second
    states = [data["status"] for name, _, data in first if name == "status"]
    assert states == ["queued", "loading_weights", "processing_inference", "completed"]
    assert [seq for _, seq, _ in first] == list(range(1, len(first) + 1))
    assert [data["terminal"] for _, _, data in first] == [False] * (len(first) - 1) + [True]


async def test_the_stream_resumes_after_the_last_event_id(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Only newer events are sent; 204 after the last one; an invalid id replays everything."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    whole = await stream(client, customer, job_id)
    assert await stream(client, customer, job_id, last_event_id="2") == whole[2:]
    headers = customer.headers | {"Last-Event-ID": str(len(whole))}
    assert (await client.get(f"/v1/jobs/{job_id}/events", headers=headers)).status_code == 204
    assert await stream(client, customer, job_id, last_event_id="x' OR 1=1") == whole


async def test_the_first_event_of_a_stream_sets_the_retry_time(client: httpx.AsyncClient, customer: Customer) -> None:
    """Every connection sends `retry: 2000` once, a resumed one, too."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    for last_id in ({}, {"Last-Event-ID": "1"}):
        text = (await client.get(f"/v1/jobs/{job_id}/events", headers=customer.headers | last_id)).text
        first, *_ = text.split("\n\n")
        assert "retry: 2000" in first.splitlines()
        assert text.count("retry:") == 1


async def test_an_early_subscriber_sees_events_as_they_happen(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A stream opened before the work ends with the job."""
    job_id = (await submit(client, customer)).json()["job_id"]
    following = asyncio.create_task(stream(client, customer, job_id))
    await asyncio.sleep(0.3)
    async with services.database.transaction() as session:
        await transition(session, job_id, JobState.CANCELED)
    events = await asyncio.wait_for(following, 3)
    assert [data["status"] for _, _, data in events] == ["queued", "canceled"]


async def test_a_stream_token_ends(
    client: httpx.AsyncClient, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token older than its lifetime gets 401."""
    job_id = (await submit(client, customer)).json()["job_id"]
    token = (await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)).json()["token"]
    assert (await client.get(f"/v1/jobs/{job_id}?token={token}")).status_code == 200
    monkeypatch.setattr(tokens, "LIFETIME_S", -1)
    assert (await client.get(f"/v1/jobs/{job_id}?token={token}")).status_code == 401


async def test_a_silent_stream_is_kept_alive_by_comments(
    client: httpx.AsyncClient, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment every 15 s, here 0.2 s, keeps proxies from closing the stream."""
    assert routing._PING_INTERVAL == 15.0
    monkeypatch.setattr(routing, "_PING_INTERVAL", 0.2)
    job_id = (await submit(client, customer)).json()["job_id"]
    following = asyncio.create_task(client.get(f"/v1/jobs/{job_id}/events", headers=customer.headers))
    await asyncio.sleep(1)
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    text = (await asyncio.wait_for(following, 5)).text
    assert text.count(": ping\n\n") >= 2
    assert '"terminal": true' in text


async def finished(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A completed job."""
    job_id = str((await submit(client, customer)).json()["job_id"])
    await Executor(services, pool).run_next()
    return job_id


async def test_a_stream_token_opens_one_job_without_a_header(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """A token opens its own job; other jobs get 404 and forged tokens 401."""
    job_id = await finished(client, services, pool, customer)
    other = (await submit(client, customer)).json()["job_id"]
    answer = (await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)).json()
    opened = await client.get(answer["events_url"])
    assert opened.status_code == 200
    assert '"terminal": true' in opened.text
    assert (await client.get(f"/v1/jobs/{other}/events?token={answer['token']}")).status_code == 404
    forged = JobTokens("another secret").issue(job_id)
    for token in (forged, "", answer["token"] + "x"):
        assert (await client.get(f"/v1/jobs/{job_id}/events?token={token}")).status_code == 401
