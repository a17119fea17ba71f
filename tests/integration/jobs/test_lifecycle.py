"""Job states in a real PostgreSQL: only legal moves, one claim wins, stale workers cannot write."""

import asyncio

import pytest

from serve_app.accounts.actors import Actor
from serve_app.errors import IllegalTransition, LeaseLost
from serve_app.jobs import lifecycle, queries
from serve_app.jobs.lifecycle import MOVES, Note, transition
from serve_app.jobs.models import Job, JobState
from serve_app.jobs.submit import Submission, accept
from serve_app.storage.blobs import StoredBlob
from serve_app.storage.database import Database
from tests.support.world import RECRUITSCREEN, new_customer


async def submit(database: Database, account_id: str | None = None) -> str:
    """A queued job of this account, by default of a new customer."""
    customer = await new_customer(database)
    blob = StoredBlob("blob", "0" * 64, 1)
    submission = Submission(Actor.operator(account_id or customer.account_id), RECRUITSCREEN, inputs={})
    async with database.transaction() as session:
        return (await accept(session, submission, blob, duration_s=61.0, credits_=2)).job_id


async def put(database: Database, job_id: str, state: JobState) -> int:
    """Bring a job into `state` by legal moves. Returns its version."""
    paths = {
        JobState.QUEUED: [],
        JobState.LOADING_WEIGHTS: [JobState.LOADING_WEIGHTS],
        JobState.PROCESSING_INFERENCE: [JobState.PROCESSING_INFERENCE],
        JobState.COMPLETED: [JobState.PROCESSING_INFERENCE, JobState.COMPLETED],
        JobState.FAILED: [JobState.FAILED],
        JobState.CANCELED: [JobState.CANCELED],
    }
    version = 1
    for step in paths[state]:
        async with database.transaction() as session:
            version = await transition(session, job_id, step, seen=version)
    return version


@pytest.mark.parametrize("source", JobState)
@pytest.mark.parametrize("to", JobState)
async def test_a_move_is_made_if_and_only_if_the_table_has_it(
    database: Database, source: JobState, to: JobState
) -> None:
    """A transition succeeds exactly for the pairs of states in `MOVES`."""
    job_id = await submit(database)
    version = await put(database, job_id, source)
    async with database.transaction() as session:
        if to in MOVES[source]:
            assert await transition(session, job_id, to, seen=version) == version + 1
        else:
            with pytest.raises(IllegalTransition):
                await transition(session, job_id, to, seen=version)


async def test_one_of_many_concurrent_claims_wins(database: Database) -> None:
    """One of twenty concurrent claims of a job succeeds."""
    job_id = await submit(database)

    async def try_to_claim(name: str) -> bool:
        async with database.transaction() as session:
            return await lifecycle.claim(session, job_id, name, 30) is not None

    won = await asyncio.gather(*(try_to_claim(f"worker-{n}") for n in range(20)))
    assert sum(won) == 1


async def test_a_stale_worker_cannot_write(database: Database) -> None:
    """The version fence refuses the stale worker's write and accepts the new worker's."""
    job_id = await submit(database)
    async with database.transaction() as session:
        first = await lifecycle.claim(session, job_id, "first", 0)
    async with database.transaction() as session:
        second = await lifecycle.claim(session, job_id, "second", 30)
    assert first
    assert second
    async with database.transaction() as session:
        with pytest.raises(LeaseLost):
            await transition(session, job_id, JobState.PROCESSING_INFERENCE, seen=first.version)
    async with database.transaction() as session:
        await transition(session, job_id, JobState.PROCESSING_INFERENCE, seen=second.version)


async def test_a_lease_that_is_lost_cannot_be_renewed(database: Database) -> None:
    """Renewing the lease of a canceled job raises `LeaseLost`."""
    job_id = await submit(database)
    async with database.transaction() as session:
        claim = await lifecycle.claim(session, job_id, "worker", 30)
    assert claim
    async with database.transaction() as session:
        await transition(session, job_id, JobState.CANCELED)
    async with database.transaction() as session:
        with pytest.raises(LeaseLost):
            await lifecycle.renew_lease(session, job_id, claim.version, 30)


async def test_events_are_numbered_without_gaps(database: Database) -> None:
    """Status and progress events share one sequence without gaps."""
    job_id = await submit(database)
    async with database.transaction() as session:
        version = await transition(session, job_id, JobState.LOADING_WEIGHTS, seen=1)
        await lifecycle.report(session, job_id, version, Note("loading", {"percent": 3}))
        await transition(session, job_id, JobState.PROCESSING_INFERENCE, seen=version)
    async with database.transaction() as session:
        events = await queries.events_after(session, job_id, 0)
    assert [(event.seq, event.kind, event.status) for event in events] == [
        (1, "status", "queued"),
        (2, "status", "loading_weights"),
        (3, "progress", "loading_weights"),
        (4, "status", "processing_inference"),
    ]


async def test_a_failed_transaction_leaves_no_event(database: Database) -> None:
    """A rolled back transaction changes no state and writes no event."""
    job_id = await submit(database)
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await transition(session, job_id, JobState.LOADING_WEIGHTS, seen=1)
            raise RuntimeError
    async with database.transaction() as session:
        job = await session.get_one(Job, job_id)
        assert (job.state, job.version, len(await queries.events_after(session, job_id, 0))) == ("queued", 1, 1)


async def test_a_requeued_job_waits_out_its_back_off(database: Database) -> None:
    """A requeued job is not due and cannot be claimed during its back-off."""
    job_id = await submit(database)
    async with database.transaction() as session:
        await lifecycle.requeue(session, job_id, seen=1, after_s=60, note=Note("later"))
    async with database.transaction() as session:
        assert await lifecycle.due_jobs(session) == []
        assert await lifecycle.claim(session, job_id, "worker", 30) is None
