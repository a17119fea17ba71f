"""Sweeps over a real PostgreSQL: lost jobs, closed retry windows, orphaned uploads, due jobs."""

import asyncio
import io
from collections.abc import Callable

import pytest
from sqlalchemy import update
from sqlmodel import col

from deployments.replica.local_pool import LocalPool
from serve_app import sweeper
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import LeaseOwners
from serve_app.jobs.models import Job, JobState
from serve_app.services import Services
from serve_app.sweeper import Sweeper
from tests.integration.test_executor import balance, history, job_of, make_due, submit, until_state
from tests.support.fakes import local_pool
from tests.support.world import Customer


async def no_job() -> bool:
    """A `run_next` that finds nothing."""
    return False


async def test_an_orphaned_upload_is_deleted(
    services: Services, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep deletes an upload without a job and keeps the upload of a job."""
    monkeypatch.setattr(sweeper, "ORPHAN_AGE_S", 0.0)
    blob = (await job_of(services, await submit(services, customer))).blob
    orphan = (await services.blobs.put(io.BytesIO(b"left behind"))).key
    await Sweeper(services, no_job).delete_orphaned_blobs()
    assert blob
    assert await services.blobs.exists(blob)
    assert not await services.blobs.exists(orphan)


async def test_a_job_of_a_dead_worker_is_requeued(services: Services, pool: LocalPool, customer: Customer) -> None:
    """After the lease of a dead worker has expired, the sweep requeues the job and it completes."""
    job_id = await submit(services, customer)
    slow = local_pool(services.database, asr={"work_s": 60.0})
    dying = asyncio.create_task(Executor(services, slow).run_next())
    await until_state(services, job_id, JobState.PROCESSING_INFERENCE)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    executor = Executor(services, pool)
    sweeps = Sweeper(services, executor.run_next)
    assert await sweeps.sweep() == []
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(lease_until=Job.created_at))
    await sweeps.sweep()
    await make_due(services, job_id)
    assert await sweeps.sweep() == [job_id]
    await executor.run_next()
    assert await history(services, job_id) == [
        "queued", "loading_weights", "processing_inference", "queued",
        "loading_weights", "processing_inference", "completed",
    ]  # fmt: skip
    await slow.close()


async def test_a_job_of_a_worker_that_is_known_to_be_dead_does_not_wait_for_its_lease(
    services: Services, customer: Customer
) -> None:
    """Its lease ends with the sweep; those of live workers and of other clusters do not."""
    owners = ["ours-dead", "ours-alive", "theirs-unknown"]
    jobs = [await submit(services, customer) for _ in owners]
    async with services.database.transaction() as session:
        for job_id, owner in zip(jobs, owners, strict=True):
            claimed = await lifecycle.claim(session, job_id, owner, 60)
            assert claimed
            await lifecycle.transition(session, job_id, JobState.PROCESSING_INFERENCE, seen=claimed.version)

    async def known() -> LeaseOwners:
        return LeaseOwners("ours-", frozenset({"ours-alive"}))

    await Sweeper(services, no_job, known).sweep()
    states = [(await job_of(services, job_id)).state for job_id in jobs]
    assert states == [JobState.QUEUED, JobState.PROCESSING_INFERENCE, JobState.PROCESSING_INFERENCE]


async def test_a_claimed_job_of_a_dead_worker_is_due_at_once(services: Services, customer: Customer) -> None:
    """No model had reported: the job is queued, and only its lease kept others from it."""
    job_id = await submit(services, customer)
    async with services.database.transaction() as session:
        assert await lifecycle.claim(session, job_id, "ours-dead", 60)

    async def known() -> LeaseOwners:
        return LeaseOwners("ours-", frozenset())

    assert await Sweeper(services, no_job).sweep() == []
    assert await Sweeper(services, no_job, known).sweep() == [job_id]


async def test_a_failed_job_is_refunded_when_its_window_closes(services: Services, customer: Customer) -> None:
    """A failed job keeps its input during the retry window; the sweep after it deletes the input and refunds once."""
    services.settings.max_attempts = 1
    pool = local_pool(services.database, asr={"fail": "inference"})
    executor = Executor(services, pool)
    sweeps = Sweeper(services, executor.run_next)
    job_id = await submit(services, customer)
    await executor.run_next()
    await sweeps.sweep()
    blob = (await job_of(services, job_id)).blob
    assert blob
    assert await balance(services, customer) == 99
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(expires_at=Job.created_at))
    await sweeps.sweep()
    await sweeps.sweep()
    assert await balance(services, customer) == 100
    assert not await services.blobs.exists(blob)
    await pool.close()


async def test_all_free_slots_are_used_while_other_jobs_run(services: Services, customer: Customer) -> None:
    """With four slots and two jobs that run for long, the next sweep starts two of three due jobs."""
    services.settings.jobs_per_executor = 4
    claimed: list[str] = []

    async def run_next() -> bool:
        async with services.database.transaction() as session:
            claim = await lifecycle.claim_next(session, "worker", 60)
        assert claim
        claimed.append(claim.job.id)
        await asyncio.Event().wait()
        return True

    for _ in range(2):
        await submit(services, customer)
    sweeping = asyncio.create_task(Sweeper(services, run_next).run_forever())
    await until(lambda: len(claimed) == 2)
    for _ in range(3):
        await submit(services, customer)
    await until(lambda: len(claimed) == 4)
    await asyncio.sleep(3 * services.settings.sweep_s)
    assert len(claimed) == 4
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    """Return when `true()`; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a condition, no event
            await asyncio.sleep(0.05)


async def test_a_due_job_runs_without_a_notification(services: Services, pool: LocalPool, customer: Customer) -> None:
    """The sweeper calls the executor for every due job."""
    job_id = await submit(services, customer)
    running = asyncio.create_task(Sweeper(services, Executor(services, pool).run_next).run_forever())
    await until_state(services, job_id, JobState.COMPLETED)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
