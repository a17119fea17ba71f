"""Readers that follow one job's events in one process."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import queries, settlement
from serve_app.jobs.event_feed import StreamEvent
from serve_app.jobs.models import Job, JobEvent
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.world import Customer

Reads = list[int]


async def read(services: Services, job_id: str, after: int = 0) -> list[StreamEvent]:
    """All events of a job newer than `after`."""
    return [event async for event in services.feeds.follow(job_id, after)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """For each read of the database: the `seq` after which it asked for events."""
    reads: Reads = []
    original = queries.events_after

    async def counted(session: AsyncSession, job_id: str, seq: int) -> list[JobEvent]:
        reads.append(seq)
        return await original(session, job_id, seq)

    monkeypatch.setattr(queries, "events_after", counted)
    return reads


async def test_readers_of_one_job_share_reads_of_the_database(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, reads: Reads
) -> None:
    """300 readers get the identical history, and the database is read about once per event."""
    job_id = (await submit(client, customer)).json()["job_id"]
    early = [asyncio.create_task(read(services, job_id)) for _ in range(300)]
    await asyncio.sleep(0.2)
    await Executor(services, pool).run_next()
    histories = await asyncio.wait_for(asyncio.gather(*early), 20)
    late = await read(services, job_id)
    assert all(history == late for history in histories)
    assert late[-1].terminal
    assert len(reads) <= 3 * len(late)


async def test_a_new_reader_gets_events_whose_message_redis_lost(
    client: httpx.AsyncClient, services: Services, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new reader triggers a read of the database, so it also gets events whose message was lost."""
    job_id = (await submit(client, customer)).json()["job_id"]
    first = asyncio.create_task(read(services, job_id))
    await asyncio.sleep(0.2)

    async def lost(_: Any) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(services.database, "_publish", lost)
    async with services.database.transaction() as session:
        await settlement.cancel(session, customer.actor, await session.get_one(Job, job_id), 60)
    await asyncio.sleep(0.2)
    assert not first.done()
    assert (await asyncio.wait_for(read(services, job_id), 2))[-1].data["status"] == "canceled"
    assert (await asyncio.wait_for(first, 2))[-1].terminal


async def test_a_reader_from_the_middle_gets_only_newer_events(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """A reader from the middle gets only newer events, beside a reader from the start."""
    job_id = (await submit(client, customer)).json()["job_id"]
    whole = asyncio.create_task(read(services, job_id))
    await asyncio.sleep(0.1)
    rest = asyncio.create_task(read(services, job_id, after=1))
    await Executor(services, pool).run_next()
    assert [event.seq for event in await rest] == [event.seq for event in await whole if event.seq > 1]
    assert await asyncio.wait_for(read(services, job_id, after=10_000), 2) == []


async def test_a_database_error_reaches_every_reader(
    client: httpx.AsyncClient, services: Services, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the database ends all readers; a later reader gets a new feed."""
    job_id = (await submit(client, customer)).json()["job_id"]

    async def broken(*_: Any) -> list[JobEvent]:
        await asyncio.sleep(0)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(queries, "events_after", broken)
        ends = await asyncio.wait_for(
            asyncio.gather(*(read(services, job_id) for _ in range(3)), return_exceptions=True), 2
        )
    assert all(isinstance(end, ConnectionError) for end in ends)
    reader = asyncio.create_task(read(services, job_id))
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    assert (await asyncio.wait_for(reader, 2))[-1].terminal


async def test_a_terminal_event_between_two_reads_is_streamed(
    client: httpx.AsyncClient, services: Services, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal event committed between the reads of new events and of the newest event is streamed."""
    job_id = (await submit(client, customer)).json()["job_id"]
    original = queries.events_after

    async def interrupted(session: AsyncSession, job_id: str, seq: int) -> list[JobEvent]:
        events = await original(session, job_id, seq)
        if not events:
            async with services.database.transaction() as other:
                await settlement.cancel(other, customer.actor, await other.get_one(Job, job_id), 60)
        return events

    reader = asyncio.create_task(read(services, job_id))
    await asyncio.sleep(0.2)
    with monkeypatch.context() as patched:
        patched.setattr(queries, "events_after", interrupted)
        joined = asyncio.create_task(read(services, job_id))  # reads the database, without new events
        await asyncio.sleep(0.2)
    for history in (await asyncio.wait_for(reader, 2), await asyncio.wait_for(joined, 2)):
        assert history[-1].data["status"] == "canceled"
