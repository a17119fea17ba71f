"""Jobs from claim to settlement, over fake models in this process and a real PostgreSQL."""

import asyncio
import io

import psycopg
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from deployments.replica.local_pool import LocalPool
from serve_app.credits import ledger
from serve_app.executor import Executor
from serve_app.http.upload import SubmitFields
from serve_app.jobs import queries
from serve_app.jobs.lifecycle import transition
from serve_app.jobs.models import EventKind, Job, JobCheckpoint, JobState
from serve_app.jobs.submit import Submission, UploadedFile
from serve_app.pipeline.types import ROLES
from serve_app.services import Services
from tests.support.fakes import Silence, local_pool
from tests.support.world import RECRUITSCREEN, Customer, tone


async def submit(services: Services, customer: Customer, seconds: float = 2.0, **inputs: bool) -> str:
    """Submit a tone of `seconds` seconds. Returns the job id."""
    submission = Submission(customer.actor, RECRUITSCREEN, {"role_title": "Engineer", **inputs})
    upload = UploadedFile(io.BytesIO(tone(seconds)), "call.wav")
    return (await services.submitter.submit(submission, upload)).job_id


async def job_of(services: Services, job_id: str) -> Job:
    async with services.database.transaction() as session:
        return await session.get_one(Job, job_id)


async def history(services: Services, job_id: str) -> list[str]:
    """A job's states, in order."""
    async with services.database.transaction() as session:
        events = await queries.events_after(session, job_id, 0)
    return [str(event.status) for event in events if event.kind is EventKind.STATUS]


async def balance(services: Services, customer: Customer) -> int:
    async with services.database.transaction() as session:
        return await ledger.balance(session, customer.account_id)


async def test_words_come_with_times_and_confidence_when_asked_for(
    services: Services, pool: LocalPool, customer: Customer
) -> None:
    """With `words` in the form each utterance lists its words; without it there are none."""
    asked = SubmitFields.model_validate({"role_title": "Engineer", "words": "true"}).inputs()["words"]
    job_ids = [await submit(services, customer, words=asked), await submit(services, customer)]
    for _ in job_ids:
        await Executor(services, pool).run_next()
    with_words, without = [(await job_of(services, job_id)).result for job_id in job_ids]
    assert with_words
    assert without
    words = [word for row in with_words["transcript"] for word in row["words"]]
    assert words[1] == {"start": 0.5, "end": 0.9, "text": "word1", "confidence": 1.0}
    assert all("words" not in row for row in without["transcript"])


async def test_a_cold_job_goes_through_every_state(services: Services, pool: LocalPool, customer: Customer) -> None:
    """A cold job is queued, loads, infers and completes; its input is deleted and charged once."""
    job_id = await submit(services, customer)
    blob = (await job_of(services, job_id)).blob
    assert blob
    assert await services.blobs.exists(blob)
    assert await Executor(services, pool).run_next()
    job = await job_of(services, job_id)
    assert await history(services, job_id) == ["queued", "loading_weights", "processing_inference", "completed"]
    assert job.result
    assert job.result["assessment"]["model"] == "fake-assessor"
    assert job.blob is None
    assert not await services.blobs.exists(blob)
    assert await balance(services, customer) == 99


async def test_a_warm_job_skips_loading(services: Services, pool: LocalPool, customer: Customer) -> None:
    """A job over warm models has no loading_weights event."""
    for role in ROLES:
        await pool.warm(role, Silence())
    job_id = await submit(services, customer)
    await Executor(services, pool).run_next()
    assert await history(services, job_id) == ["queued", "processing_inference", "completed"]


async def test_a_job_is_run_once_however_often_executors_are_notified(
    services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Notifications may arrive twice. Only one call claims the job."""
    await submit(services, customer)
    executor = Executor(services, pool)
    ran = await asyncio.gather(*(executor.run_next() for _ in range(5)))
    assert sum(ran) == 1


async def test_a_broken_model_fails_the_job_without_leaking_its_message(services: Services, customer: Customer) -> None:
    """A job fails after its last attempt, and its error does not contain the model's own message."""
    services.settings.max_attempts = 1
    pool = local_pool(services.database, asr={"fail": "inference"})
    job_id = await submit(services, customer)
    await Executor(services, pool).run_next()
    job = await job_of(services, job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "inference_failed")
    assert "secret" not in (job.error_message or "")
    assert job.blob
    await pool.close()


async def test_a_job_without_memory_is_retried_and_then_fails(services: Services, customer: Customer) -> None:
    """A job without memory is retried, then fails with `vram_unavailable` as code and last detail."""
    services.settings.max_attempts = 2
    pool = local_pool(services.database, diarizer={"fail": "vram"})
    executor = Executor(services, pool)
    job_id = await submit(services, customer)
    await executor.run_next()
    assert (await job_of(services, job_id)).state is JobState.QUEUED
    assert not await executor.run_next()
    await make_due(services, job_id)
    await executor.run_next()
    job = await job_of(services, job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "vram_unavailable", 2)
    async with services.database.transaction() as session:
        newest = await queries.newest_event(session, job_id)
    assert newest
    assert newest.detail == "vram_unavailable"
    await pool.close()


async def test_a_failure_for_good_is_not_tried_again_and_refunded_at_once(
    services: Services, customer: Customer
) -> None:
    """After the first attempt the job has failed, its credits are back, and its input is deleted."""
    pool = local_pool(services.database, asr={"fail": "language"})
    job_id = await submit(services, customer)
    blob = (await job_of(services, job_id)).blob
    await Executor(services, pool).run_next()
    job = await job_of(services, job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, "language_unsupported", 1)
    assert (job.credits_returned, await balance(services, customer)) == (1, 100)
    assert blob
    assert not await services.blobs.exists(blob)
    async with services.database.transaction() as session:
        newest = await queries.newest_event(session, job_id)
    assert newest
    assert newest.data["error"]["retryable"] is False
    await pool.close()


async def test_a_job_of_a_removed_product_fails_for_good(
    services: Services, pool: LocalPool, customer: Customer
) -> None:
    """It is refunded at once; nobody waits for its lease to expire."""
    job_id = await submit(services, customer)
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(vertical="removed"))
    await Executor(services, pool).run_next()
    job = await job_of(services, job_id)
    assert (job.state, job.error_code, job.credits_returned) == (JobState.FAILED, "vertical_not_found", 1)


async def test_cut_connections_cost_no_attempt(services: Services, customer: Customer) -> None:
    """Every connection to the database is cut, again and again, while the job runs; its first attempt completes."""
    pool = local_pool(services.database, asr={"work_s": 3.0}, diarizer={"work_s": 2.0}, assessor={"work_s": 1.0})
    job_id = await submit(services, customer)
    running = asyncio.create_task(Executor(services, pool).run_next())
    cuts = 0
    while not running.done():
        await asyncio.sleep(0.3)
        cuts += await cut_connections(services)
    assert await running
    job = await job_of(services, job_id)
    assert (job.state, job.attempt) == (JobState.COMPLETED, 1)
    assert cuts > 5
    await pool.close()


async def cut_connections(services: Services) -> int:
    """End every other connection to the test's database. Returns their number."""
    url = services.settings.database_url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cut = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(await cut.fetchall())


async def test_a_second_attempt_does_not_repeat_finished_stages(services: Services, customer: Customer) -> None:
    """The second attempt completes with a broken ASR. What another assessment begins with is kept, the rest is not."""
    services.settings.max_attempts = 2
    first = local_pool(services.database, assessor={"fail": "inference"})
    job_id = await submit(services, customer)
    await Executor(services, first).run_next()
    await make_due(services, job_id)
    second = local_pool(services.database, asr={"fail": "inference"}, diarizer={"fail": "inference"})
    await Executor(services, second).run_next()
    assert (await job_of(services, job_id)).state is JobState.COMPLETED
    async with services.database.transaction() as session:
        kept = (await session.exec(select(JobCheckpoint.stage).where(col(JobCheckpoint.job_id) == job_id))).all()
    assert set(kept) == {"input", "transcription", "diarization"}
    await first.close()
    await second.close()


async def test_a_canceled_job_stops_its_worker(services: Services, customer: Customer) -> None:
    """The worker of a canceled job stops within two seconds and writes nothing more."""
    pool = local_pool(services.database, asr={"work_s": 30.0})
    job_id = await submit(services, customer)
    running = asyncio.create_task(Executor(services, pool).run_next())
    await until_state(services, job_id, JobState.PROCESSING_INFERENCE)
    async with services.database.transaction() as session:
        await transition(session, job_id, JobState.CANCELED)
    await asyncio.wait_for(running, 2)
    assert (await history(services, job_id))[-1] == "canceled"
    await pool.close()


@pytest.mark.parametrize("roles", [("asr",), ("assessor",), ROLES])
async def test_the_pool_status_shows_loaded_models(services: Services, roles: tuple[str, ...]) -> None:
    """A model is warm when a replica has loaded it, and cold otherwise."""
    from serve_app.model_pool.status import get_status

    pool = local_pool(services.database)
    for role in roles:
        await pool.warm(role, Silence())  # type: ignore[arg-type]
    async with services.database.transaction() as session:
        status = await get_status(session, services.roster)
    assert {model.role: str(model.state) for model in status.models} == {
        role: "warm" if role in roles else "cold" for role in ROLES
    }
    await pool.close()


async def make_due(services: Services, job_id: str) -> None:
    """End the back-off of a requeued job."""
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(available_at=Job.created_at))


async def until_state(services: Services, job_id: str, state: JobState) -> None:
    """Return when the job is in `state`; fails after ten seconds."""
    for _ in range(200):
        if (await job_of(services, job_id)).state is state:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{job_id} did not become {state}")
