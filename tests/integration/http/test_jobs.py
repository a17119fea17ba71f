"""An owner's jobs over the API: result, list, long poll, cancel, retry, delete, transcript."""

import asyncio
import time

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs.models import Job, JobState
from serve_app.pipeline.types import ROLES
from serve_app.services import Services
from serve_app.sweeper import Sweeper
from tests.support.calls import JOBS, error, stream, submit
from tests.support.fakes import local_pool
from tests.support.world import Customer, new_customer, silence


async def test_a_finished_job_shows_its_result(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The result has the documented fields."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert job["status"] == "completed"
    assert job["result"]["no_speech"] is False
    assert job["result"].keys() >= {"duration_s", "transcript", "metrics", "assessment"}
    assert job["result"]["transcript"][0].keys() == {"start", "end", "speaker", "text"}
    assert job["result"]["metrics"].keys() >= {"talk_ratio", "interruptions"}
    assert job["result"]["assessment"].keys() >= {
        "summary", "recommendation", "scores", "highlights", "red_flags", "questions_for_next_round",
        "submittal_note", "model",
    }  # fmt: skip


async def test_a_recording_without_speech_says_so_and_costs_nothing(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """It completes with `no_speech` as every reason; the assessor is not asked, the charge is refunded."""
    files = {"file": ("call.wav", silence(3))}
    submitted = await client.post(JOBS, data={"role_title": "Engineer"}, files=files, headers=customer.headers)
    job_id = submitted.json()["job_id"]
    await Executor(services, pool).run_next()
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert (job["status"], job["credits_charged"], job["credits_returned"]) == ("completed", 1, 1)
    assert job["result"]["no_speech"] is True
    assert job["result"]["transcript"] == []
    assessment = job["result"]["assessment"]
    assert {(score["score"], score["reason"]) for score in assessment["scores"].values()} == {(None, "no_speech")}
    assert {score["rationale"] for score in assessment["scores"].values()} == {
        "No speech was recognised in the recording."
    }
    assert (assessment["recommendation"], assessment["model"]) == ("insufficient_evidence", "none")
    assert "assessment" not in job["result"]["usage"]["stages"]
    assert await balance(client, customer) == {"balance": 100, "held": 0, "refundable": 0}
    moved = (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"][0]
    assert (moved["kind"], moved["reason"]) == ("refund", "no speech was recognised")
    _, _, last = (await stream(client, customer, job_id))[-1]
    assert (last["status"], last["detail"]) == ("completed", "no speech was recognised")
    text = await client.get(f"/v1/jobs/{job_id}/transcript?format=txt", headers=customer.headers)
    assert text.status_code == 200


async def test_another_language_is_transcribed_and_not_assessed(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Transcript and metrics are there and paid for; every score is null and says why; a new assessment is refused."""
    job_id = (await submit(client, customer, language="es")).json()["job_id"]
    await Executor(services, pool).run_next()
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert (job["status"], job["language"], job["credits_returned"]) == ("completed", "es", 0)
    result, assessment = job["result"], job["result"]["assessment"]
    assert (result["language"], result["no_speech"]) == ("es", False)
    assert result["transcript"]
    assert result["metrics"]["talk_ratio"]
    assert {(score["score"], score["reason"]) for score in assessment["scores"].values()} == {
        (None, "language_unsupported")
    }
    assert assessment["recommendation"] == "insufficient_evidence"
    for text in (assessment["summary"], assessment["submittal_note"]):
        assert text.startswith("The recording is in Spanish. Only English is assessed, so nothing is scored.")
    assert "assessment" not in result["usage"]["stages"]
    again = await client.post(f"/v1/jobs/{job_id}/assessments", json={}, headers=customer.headers)
    assert (again.status_code, again.json()["detail"]["error"]) == (409, "conflict")
    assert "Spanish" in again.json()["detail"]["message"]
    card = await client.get(f"/v1/jobs/{job_id}/scorecard?format=md", headers=customer.headers)
    assert "Only English is assessed" in card.text


async def test_speech_that_was_not_understood_costs_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """An English-only model that hears another language says so; nothing is scored, and the charge is refunded."""
    pool = local_pool(services.database, asr={"language": "und"})
    job_id = await finished(client, services, pool, customer)
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert (job["status"], job["credits_charged"], job["credits_returned"]) == ("completed", 1, 1)
    assert (job["result"]["language"], job["result"]["no_speech"]) == ("und", False)
    assert {score["reason"] for score in job["result"]["assessment"]["scores"].values()} == {"language_unsupported"}
    assert "probably in another language" in job["result"]["assessment"]["summary"]
    assert all(row["suspect"] for row in job["result"]["transcript"])
    await pool.close()


async def finished(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A completed job."""
    job_id = str((await submit(client, customer)).json()["job_id"])
    await Executor(services, pool).run_next()
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


@pytest.mark.parametrize(("stated", "speaker"), [("first", "SPEAKER_00"), ("second", "SPEAKER_01")])
async def test_the_caller_may_say_who_the_candidate_is(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, stated: str, speaker: str
) -> None:
    """The result names the stated speaker. Without `candidate`, it says how sure the guess is."""
    guessed, said = await submit(client, customer), await submit(client, customer, candidate=stated)
    for _ in range(2):
        await Executor(services, pool).run_next()
    guess, fact = [
        (await client.get(sent.json()["status_url"], headers=customer.headers)).json()["result"]
        for sent in (guessed, said)
    ]
    assert fact["candidate"] == {"speaker": speaker, "confidence": 1.0, "source": "caller", "min_confidence": 0.75}
    assert fact["speakers"][speaker] == {"role": "candidate", "confidence": 1.0, "name": None}
    assert guess["candidate"]["source"] == "guess"
    assert (guess["candidate"]["speaker"] is None) == (guess["candidate"]["confidence"] < 0.75)


async def test_pages_hold_every_job_once_newest_first(client: httpx.AsyncClient, customer: Customer) -> None:
    """Five jobs in pages of two come once each, newest first."""
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


async def test_a_list_is_filtered_by_state_and_account(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The list holds only matching jobs of the caller's account."""
    canceled, queued = [(await submit(client, customer)).json()["job_id"] for _ in range(2)]
    await client.post(f"/v1/jobs/{canceled}/cancel", headers=customer.headers)
    stranger = await new_customer(services.database)
    listed = (await client.get("/v1/jobs?status=queued", headers=customer.headers)).json()["data"]
    assert [job["job_id"] for job in listed] == [queued]
    assert (await client.get("/v1/jobs", headers=stranger.headers)).json()["data"] == []


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=WzEsMl0", "limit=0", "limit=101", "status=unknown"])
async def test_a_bad_page_request_gets_422(client: httpx.AsyncClient, customer: Customer, query: str) -> None:
    """The error names the field."""
    response = await client.get(f"/v1/jobs?{query}", headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == query.split("=", maxsplit=1)[0]


async def test_a_long_poll_returns_when_the_job_is_over(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The request waits for the end of the job, or for the given seconds."""
    job_id = (await submit(client, customer)).json()["job_id"]
    waiting = asyncio.create_task(client.get(f"/v1/jobs/{job_id}?wait=30", headers=customer.headers))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await Executor(services, pool).run_next()
    assert (await asyncio.wait_for(waiting, 3)).json()["status"] == "completed"
    short = await client.get(
        f"/v1/jobs/{(await submit(client, customer)).json()['job_id']}?wait=1", headers=customer.headers
    )
    assert short.json()["status"] == "queued"


async def test_canceling_a_queued_job_releases_its_credits(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The job never runs, and a second cancel changes nothing."""
    job_id = (await submit(client, customer)).json()["job_id"]
    assert await balance(client, customer) == {"balance": 99, "held": 1, "refundable": 0}
    for _ in range(2):
        response = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
        assert (response.status_code, response.json()["status"]) == (200, "canceled")
        assert response.json()["credits_returned"] == 1
    assert await balance(client, customer) == {"balance": 100, "held": 0, "refundable": 0}
    assert not await Executor(services, pool).run_next()


async def test_a_finished_job_cannot_be_canceled(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The cancel gets 409, and the credits stay charged."""
    job_id = await finished(client, services, pool, customer)
    response = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")
    assert await balance(client, customer) == {"balance": 99, "held": 0, "refundable": 0}


async def test_a_failed_job_is_retried_without_charge(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The retry completes, and its stream holds both runs and ends once."""
    job_id = await failed(client, services, customer)
    assert await balance(client, customer) == {"balance": 99, "held": 0, "refundable": 1}
    response = await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    assert (response.status_code, response.json()["credits_charged"]) == (202, 0)
    await Executor(services, pool).run_next()
    assert await balance(client, customer) == {"balance": 99, "held": 0, "refundable": 0}
    events = [data for name, _, data in await stream(client, customer, job_id) if name == "status"]
    assert [event["status"] for event in events] == [
        "queued", "loading_weights", "processing_inference", "failed",
        "queued", "loading_weights", "processing_inference", "completed",
    ]  # fmt: skip
    assert [event["terminal"] for event in events] == [False] * (len(events) - 1) + [True]


async def test_a_retry_after_its_window_is_refused(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The recording is deleted by then, and the job refunded."""
    job_id = await failed(client, services, customer)
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(expires_at=Job.created_at))
    response = await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


async def test_a_deleted_job_leaves_a_receipt(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The content is gone; state, times and credits stay."""
    job_id = await finished(client, services, pool, customer)
    assert (await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)).json() == {
        "job_id": job_id,
        "deleted": True,
    }
    receipt = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    listed = (await client.get("/v1/jobs", headers=customer.headers)).json()["data"][0]
    assert (receipt["result"], listed["deleted_at"]) == (None, receipt["deleted_at"])
    assert receipt["deleted_at"] is not None
    assert (receipt["status"], receipt["credits_charged"]) == ("completed", 1)


async def test_a_running_job_must_be_canceled_before_it_is_deleted(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """Deleting an unfinished job gets 409."""
    job_id = (await submit(client, customer)).json()["job_id"]
    response = await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


@pytest.mark.parametrize(
    ("format_", "prefix", "media_type"),
    [("txt", "[", "text/plain"), ("srt", "1\n00:00:0", "application/x-subrip"), ("vtt", "WEBVTT", "text/vtt")],
)
async def test_a_transcript_is_exported(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer,
    format_: str, prefix: str, media_type: str,
) -> None:  # fmt: skip
    """The transcript comes as plain text, SRT and WebVTT."""
    job_id = await finished(client, services, pool, customer)
    response = await client.get(f"/v1/jobs/{job_id}/transcript?format={format_}", headers=customer.headers)
    assert response.headers["content-type"].startswith(media_type)
    assert response.text.startswith(prefix)


async def test_an_unfinished_job_has_no_transcript(client: httpx.AsyncClient, customer: Customer) -> None:
    """The transcript gets 409 until the job completes."""
    job_id = (await submit(client, customer)).json()["job_id"]
    response = await client.get(f"/v1/jobs/{job_id}/transcript", headers=customer.headers)
    assert (response.status_code, error(response)) == (409, "conflict")


async def test_a_running_job_is_canceled_and_its_models_stop_within_two_seconds(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """After a cancel, worker and models stop within 2 s, and the credits stay charged."""
    pool = local_pool(services.database, asr={"work_s": 10}, diarizer={"work_s": 10})
    job_id = (await submit(client, customer)).json()["job_id"]
    running = asyncio.create_task(Executor(services, pool).run_next())
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
    assert (answer.json()["credits_returned"], await balance(client, customer)) == (
        0,
        {"balance": 99, "held": 0, "refundable": 0},
    )
    await pool.close()


async def test_a_job_canceled_while_models_load_gets_its_credits_back(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """An executor has claimed it, and no model has begun to work on the recording."""
    pool = local_pool(services.database, **{role: {"load_s": 3} for role in ROLES})
    job_id = (await submit(client, customer)).json()["job_id"]
    running = asyncio.create_task(Executor(services, pool).run_next())
    while await state_of(services, job_id) is not JobState.LOADING_WEIGHTS:  # noqa: ASYNC110 - a row, no event
        await asyncio.sleep(0.05)
    answer = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert answer.json()["credits_returned"] == 1
    assert (await balance(client, customer))["balance"] == 100
    await running
    await pool.close()


async def test_a_retried_job_canceled_before_work_begins_gets_its_credits_back(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The work of the failed attempts is not counted against the owner."""
    job_id = await failed(client, services, customer)
    await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    answer = await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert answer.json()["credits_returned"] == 1
    assert (await balance(client, customer))["balance"] == 100


async def state_of(services: Services, job_id: str) -> JobState:
    async with services.database.transaction() as session:
        return (await session.get_one(Job, job_id)).state


async def test_a_failed_job_that_is_not_retried_in_its_window_is_refunded(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The sweep refunds it; the ledger shows charge and refund."""
    services.settings.max_attempts = 1
    pool = local_pool(services.database, asr={"fail": "vram"})
    job_id = (await submit(client, customer)).json()["job_id"]
    executor = Executor(services, pool)
    await executor.run_next()
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert (job["status"], job["detail"], job["error"]["code"]) == ("failed", "vram_unavailable", "vram_unavailable")
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(expires_at=Job.created_at))
    await Sweeper(services, executor.run_next).sweep()
    moved = (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"]
    assert [(row["kind"], row["credits"], row["reason"]) for row in moved] == [
        ("refund", 1, "failed: vram_unavailable; not retried in time"),
        ("charge", -1, "accepted a recording of 2 s"),
        ("grant", 100, "test"),
    ]
    await pool.close()
