"""Promises with a number in them: what is too large, too long, too late or too much."""

import asyncio
import io
import time

import av
import httpx
import pytest
from fastapi import routing
from sqlalchemy import update
from sqlmodel import col

from serve_app.executor import Executor
from serve_app.http import tokens
from serve_app.http.app import create_app
from serve_app.jobs.models import Job, JobState
from serve_app.services import Services
from tests.support.calls import JOBS, error, submit
from tests.support.fakes import local_pool
from tests.support.world import SAMPLE, Customer, tone


async def test_a_running_job_is_canceled_and_its_models_stop_within_two_seconds(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """From the cancel to the worker's end and to models that work on nothing; its credits stay spent."""
    pool = local_pool(services.database, asr={"work_s": 10}, diarizer={"work_s": 10})
    job_id = (await submit(client, customer)).json()["job_id"]
    running = asyncio.create_task(Executor(services, pool).run(job_id))
    while await state_of(services, job_id) is not JobState.PROCESSING_INFERENCE:  # noqa: ASYNC110 - a row, no event
        await asyncio.sleep(0.05)
    began = time.monotonic()
    answer = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert answer.json()["status"] == "canceled"
    await asyncio.wait_for(running, 2)
    assert time.monotonic() - began < 2
    for replica in pool.replicas.values():
        await replica.heartbeat()
    assert [model["in_flight"] for model in (await client.get("/v1/models/status")).json()["models"]] == [0, 0, 0]
    assert (await client.get("/v1/credits", headers=customer.headers)).json() == {"balance": 99, "held": 0}
    await pool.close()


async def state_of(services: Services, job_id: str) -> JobState:
    async with services.database.transaction() as session:
        return (await session.get_one(Job, job_id)).state


@pytest.mark.parametrize("hint", ["1", "86400"])
async def test_the_recording_decides_over_the_callers_duration(
    client: httpx.AsyncClient, customer: Customer, hint: str
) -> None:
    """`duration_s` is a hint: the price and the job's length are those of the file."""
    accepted = (await submit(client, customer, seconds=61, duration_s=hint)).json()
    assert accepted["credits_charged"] == 2
    job = (await client.get(accepted["status_url"], headers=customer.headers)).json()
    assert job["duration_s"] == 61.0


async def test_a_picture_is_refused_in_so_many_words(client: httpx.AsyncClient, customer: Customer) -> None:
    """It is of no format that holds sound: 422 that says which ones do, before anything is charged."""
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301"
        "0100c9fe92ef0000000049454e44ae426082"
    )
    files = {"file": ("frame.png", pixel)}
    response = await client.post(JOBS, data={"role_title": "x"}, files=files, headers=customer.headers)
    assert response.status_code == 422
    assert error(response) == "media_unreadable"
    assert "audio" in response.json()["detail"]["message"]
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


async def test_a_video_without_sound_is_refused_in_so_many_words(client: httpx.AsyncClient, customer: Customer) -> None:
    """Its container is fine and holds no audio: 422 that says so, before anything is charged."""
    response = await client.post(
        JOBS, data={"role_title": "x"}, files={"file": ("mute.mp4", mute_video())}, headers=customer.headers
    )
    assert (response.status_code, error(response)) == (422, "no_audio_track")
    assert "audio" in response.json()["detail"]["message"]
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


def mute_video() -> bytes:
    """Two seconds of black."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode())
    return file.getvalue()


async def test_a_real_recording_is_measured_not_believed(client: httpx.AsyncClient, customer: Customer) -> None:
    """The bundled sample lasts 1:49: two started minutes."""
    files = {"file": ("a.ogg", SAMPLE.read_bytes())}
    response = await client.post(JOBS, data={"role_title": "x"}, files=files, headers=customer.headers)
    assert response.json()["credits_charged"] == 2


async def test_all_demos_together_are_limited(client: httpx.AsyncClient, services: Services) -> None:
    """Also from different addresses, as a trusted proxy tells them: 429 says when to come back."""
    await services.limiter._limiter.storage.reset()  # other tests start demos on the same Valkey
    services.settings.trusted_proxies = 1
    demo = services.catalog.get("recruitscreen").demo
    assert demo
    limit = int(demo.total.split("/")[0])
    statuses = []
    for number in range(limit + 1):  # an upload that is refused counts as well, so none of these need be a job
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        statuses.append(await client.post(f"/v1/demo{JOBS[3:]}", data={"role_title": "x"}, headers=headers))
    assert {answer.status_code for answer in statuses[:-1]} == {422}
    assert (statuses[-1].status_code, error(statuses[-1])) == (429, "rate_limited")
    assert int(statuses[-1].headers["retry-after"]) > 0
    assert '"demo-total"' in statuses[-1].headers["ratelimit"]
    await services.limiter._limiter.storage.reset()


async def test_a_stream_token_ends(
    client: httpx.AsyncClient, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its lifetime it opens nothing."""
    job_id = (await submit(client, customer)).json()["job_id"]
    token = (await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)).json()["token"]
    assert (await client.get(f"/v1/jobs/{job_id}?token={token}")).status_code == 200
    monkeypatch.setattr(tokens, "LIFETIME_S", -1)
    assert (await client.get(f"/v1/jobs/{job_id}?token={token}")).status_code == 401


async def test_a_failed_job_that_is_not_retried_in_its_window_is_refunded(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """By the sweep; the ledger shows charge and refund, the job a receipt."""
    services.settings.max_attempts = 1
    pool = local_pool(services.database, asr={"fail": "vram"})
    job_id = (await submit(client, customer)).json()["job_id"]
    executor = Executor(services, pool)
    await executor.run(job_id)
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert (job["status"], job["detail"], job["error"]["code"]) == ("failed", "vram_unavailable", "vram_unavailable")
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(expires_at=Job.created_at))
    await executor.sweep()
    moved = (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"]
    assert [(row["kind"], row["credits"]) for row in moved] == [("refund", 1), ("charge", -1), ("grant", 100)]
    await pool.close()


async def test_an_error_says_where_the_caller_stands_too(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """RateLimit fields are on refusals as on successes, and on the 429 itself."""
    services.settings.rate_limit = "1/minute"
    missing = await client.get("/v1/jobs/job_unknown", headers=customer.headers)
    assert missing.headers["ratelimit"].startswith('"per-key";r=0;t=')
    refused = await client.get("/v1/jobs/job_unknown", headers=customer.headers)
    assert refused.status_code == 429
    assert refused.headers["ratelimit-policy"] == '"per-key";q=1;w=60'


async def test_a_quote_says_whether_models_are_cold_and_how_long_it_takes(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Cold before the first job; a pace learnt from the jobs before; nothing is charged."""
    quoted = await client.post("/v1/recruitscreen/quote", data={"duration_s": "60"}, headers=customer.headers)
    assert quoted.json() == {"credits": 1, "duration_s": 60.0, "expected_s": 30.0, "cold": True}
    pool = local_pool(services.database)
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run(job_id)
    for replica in pool.replicas.values():
        await replica.heartbeat()
    warm = await client.post("/v1/recruitscreen/quote", data={"duration_s": "60"}, headers=customer.headers)
    assert warm.json()["cold"] is False
    assert warm.json()["expected_s"] != 30.0
    measured = await client.post(
        "/v1/recruitscreen/quote", files={"file": ("a.wav", tone(2))}, headers=customer.headers
    )
    assert measured.json()["credits"] == 1
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 99
    await pool.close()


async def test_a_server_that_names_requests_itself_names_them_alone(services: Services) -> None:
    """The id is sent once, by the server in front, and is the one in the body."""
    transport = httpx.ASGITransport(create_app(services, ids_by_server=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/nothing", headers={"X-Request-Id": "its own; name"})
    assert answer.json()["detail"]["request_id"] == "its own; name"
    assert "x-request-id" not in answer.headers


async def test_a_silent_stream_is_kept_alive_by_comments(
    client: httpx.AsyncClient, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment every 15 s, here every 0.2 s, so that no proxy takes a waiting job's stream for dead."""
    assert routing._PING_INTERVAL == 15.0
    monkeypatch.setattr(routing, "_PING_INTERVAL", 0.2)
    job_id = (await submit(client, customer)).json()["job_id"]
    following = asyncio.create_task(client.get(f"/v1/jobs/{job_id}/events", headers=customer.headers))
    await asyncio.sleep(1)
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    text = (await asyncio.wait_for(following, 5)).text
    assert text.count(": ping\n\n") >= 2
    assert '"terminal": true' in text
