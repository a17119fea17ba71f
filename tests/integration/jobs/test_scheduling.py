"""Fair scheduling between accounts, in a real PostgreSQL."""

import asyncio
from collections import Counter

import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import transition
from serve_app.jobs.models import Job, JobState
from serve_app.services import Services
from serve_app.storage.database import Database
from tests.integration.jobs.test_lifecycle import submit
from tests.integration.test_executor import job_of
from tests.integration.test_executor import submit as send
from tests.support.world import new_customer


async def queue_jobs(database: Database, jobs: int) -> tuple[str, list[str]]:
    """A new account with `jobs` queued jobs. Returns its id and the job ids in order of submit."""
    customer = await new_customer(database, credits_=2 * jobs)
    return customer.account_id, [await submit(database, account_id=customer.account_id) for _ in range(jobs)]


async def claim_jobs(database: Database, times: int) -> list[Job]:
    """Claim `times` jobs in a row. All of them stay claimed."""
    jobs = []
    for _ in range(times):
        async with database.transaction() as session:
            claim = await lifecycle.claim_next(session, "worker", 30)
        assert claim
        jobs.append(claim.job)
    return jobs


async def test_scheduling_takes_turns_between_accounts(database: Database) -> None:
    """An account with ten jobs and two later accounts with two jobs each take turns from the start."""
    first, _ = await queue_jobs(database, 10)
    second, _ = await queue_jobs(database, 2)
    third, _ = await queue_jobs(database, 2)
    served = [job.account_id for job in await claim_jobs(database, 6)]
    assert Counter(served[:3]) == Counter(served[3:]) == Counter({first: 1, second: 1, third: 1})


async def test_within_an_account_the_oldest_comes_first(database: Database) -> None:
    """Jobs of one account run in order of submit."""
    _, sent = await queue_jobs(database, 4)
    assert [job.id for job in await claim_jobs(database, 4)] == sent


async def test_a_single_slot_goes_to_the_account_served_longest_ago(database: Database) -> None:
    """With one slot, the account that was served longest ago is next."""
    first, _ = await queue_jobs(database, 5)
    second, _ = await queue_jobs(database, 2)
    served = []
    for _ in range(4):
        [job] = await claim_jobs(database, 1)
        served.append(job.account_id)
        async with database.transaction() as session:
            await transition(session, job.id, JobState.PROCESSING_INFERENCE)
            await transition(session, job.id, JobState.COMPLETED)
    assert served == [first, second, first, second]


async def test_due_jobs_are_listed_in_scheduling_order(database: Database) -> None:
    """Due jobs are listed in scheduling order, so the sweeper is fair as well."""
    _, [a1, a2, a3] = await queue_jobs(database, 3)
    _, [b1] = await queue_jobs(database, 1)
    async with database.transaction() as session:
        assert await lifecycle.due_jobs(session) == [a1, b1, a2, a3]
        assert await lifecycle.due_jobs(session, limit=2) == [a1, b1]


async def test_concurrent_workers_claim_different_jobs(database: Database) -> None:
    """Of eight concurrent workers and four jobs, four workers get one job each and four get none."""
    _, sent = await queue_jobs(database, 4)

    async def take() -> str | None:
        async with database.transaction() as session:
            claim = await lifecycle.claim_next(session, "worker", 30)
        return claim and claim.job.id

    taken = await asyncio.gather(*(take() for _ in range(8)))
    assert sorted(filter(None, taken)) == sorted(sent)
    assert taken.count(None) == 4


@pytest.mark.parametrize("slots", [1, 2])
async def test_notifications_do_not_change_the_scheduling_order(
    services: Services, pool: LocalPool, slots: int
) -> None:
    """A job submitted after six of another account is among the first jobs, with one slot or two."""
    services.settings.jobs_per_executor = slots
    bulky, other = await new_customer(services.database), await new_customer(services.database)
    sent = [await send(services, bulky, 0.5) for _ in range(6)]
    sent.append(await send(services, other, 0.5))
    executor = Executor(services, pool)
    assert all(await asyncio.gather(*(executor.run_next() for _ in sent)))
    jobs = [await job_of(services, job_id) for job_id in sent]
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    starts = sorted(jobs, key=lambda job: job.started_at or job.created_at)
    assert jobs[-1] in starts[: slots + 1]
