"""Whose turn it is: accounts share the executors, however many recordings one of them sends at once."""

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


async def bulk(database: Database, jobs: int) -> tuple[str, list[str]]:
    """An account with so many queued jobs, in the order they came."""
    customer = await new_customer(database, credits_=2 * jobs)
    return customer.account_id, [await submit(database, account_id=customer.account_id) for _ in range(jobs)]


async def claimed(database: Database, times: int) -> list[Job]:
    """The jobs that so many workers are given, one after the other; they all stay at work."""
    jobs = []
    for _ in range(times):
        async with database.transaction() as session:
            claim = await lifecycle.claim_next(session, "worker", 30)
        assert claim
        jobs.append(claim.job)
    return jobs


async def test_accounts_take_turns(database: Database) -> None:
    """One sent ten recordings before two others sent two each: all three are served from the start."""
    first, _ = await bulk(database, 10)
    second, _ = await bulk(database, 2)
    third, _ = await bulk(database, 2)
    served = [job.account_id for job in await claimed(database, 6)]
    assert Counter(served[:3]) == Counter(served[3:]) == Counter({first: 1, second: 1, third: 1})


async def test_within_an_account_the_oldest_comes_first(database: Database) -> None:
    """Turns are between accounts, not inside them."""
    _, sent = await bulk(database, 4)
    assert [job.id for job in await claimed(database, 4)] == sent


async def test_a_single_place_goes_round_too(database: Database) -> None:
    """Nobody has a job at work when the place is free: then who was served longest ago is next."""
    first, _ = await bulk(database, 5)
    second, _ = await bulk(database, 2)
    served = []
    for _ in range(4):
        [job] = await claimed(database, 1)
        served.append(job.account_id)
        async with database.transaction() as session:
            await transition(session, job.id, JobState.PROCESSING_INFERENCE)
            await transition(session, job.id, JobState.COMPLETED)
    assert served == [first, second, first, second]


async def test_what_is_due_is_listed_in_the_order_of_turns(database: Database) -> None:
    """The sweep finds jobs nobody was told of as fairly as calls do."""
    _, [a1, a2, a3] = await bulk(database, 3)
    _, [b1] = await bulk(database, 1)
    async with database.transaction() as session:
        assert await lifecycle.due_jobs(session) == [a1, b1, a2, a3]
        assert await lifecycle.due_jobs(session, limit=2) == [a1, b1]


async def test_workers_at_the_same_moment_take_different_jobs(database: Database) -> None:
    """Eight look at once at four jobs: each is given once, and four workers go without."""
    _, sent = await bulk(database, 4)

    async def take() -> str | None:
        async with database.transaction() as session:
            claim = await lifecycle.claim_next(session, "worker", 30)
        return claim and claim.job.id

    taken = await asyncio.gather(*(take() for _ in range(8)))
    assert sorted(filter(None, taken)) == sorted(sent)
    assert taken.count(None) == 4


@pytest.mark.parametrize("places", [1, 2])
async def test_hints_bring_jobs_and_no_places_in_the_line(services: Services, pool: LocalPool, places: int) -> None:
    """Six hints of one account wait before another's single one, and its job is among the first all the same."""
    services.settings.jobs_per_executor = places
    bulky, other = await new_customer(services.database), await new_customer(services.database)
    sent = [await send(services, bulky, 0.5) for _ in range(6)]
    sent.append(await send(services, other, 0.5))
    executor = Executor(services, pool)
    assert all(await asyncio.gather(*(executor.run_next() for _ in sent)))
    jobs = [await job_of(services, job_id) for job_id in sent]
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    starts = sorted(jobs, key=lambda job: job.started_at or job.created_at)
    assert jobs[-1] in starts[: places + 1]
