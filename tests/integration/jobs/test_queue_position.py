"""What a waiting job is told of its place."""

from typing import Any

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import queries
from serve_app.services import Services
from serve_app.sweeper import Sweeper
from tests.support.calls import submit
from tests.support.world import Customer


async def places(services: Services, job_id: str) -> list[dict[str, Any]]:
    """Every place the job was told, in order."""
    async with services.database.transaction() as session:
        events = await queries.events_after(session, job_id, 0)
    return [event.data for event in events if "queue_position" in event.data]


async def test_a_waiting_job_is_told_its_place_and_when_it_moves_up(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Third at first; second once the job before it has been taken; nothing is said while nothing changes."""
    _, _, third = [(await submit(client, customer, seconds=10)).json()["job_id"] for _ in range(3)]
    executor = Executor(services, pool)
    sweeper = Sweeper(services, executor.run_next)
    await sweeper.sweep()
    assert [told["queue_position"] for told in await places(services, third)] == [3]
    await executor.run_next()
    for _ in range(3):
        await sweeper.sweep()
    told = await places(services, third)
    assert [one["queue_position"] for one in told] == [3, 2]
    assert told[0]["expected_s"] > told[1]["expected_s"] > 0


async def test_a_running_job_tells_percent_stage_and_seconds_left(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """On progress events, beside the three fields that every event has."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    async with services.database.transaction() as session:
        events = [event for event in await queries.events_after(session, job_id, 0) if event.kind == "progress"]
    shown = [event.data for event in events if "stage" in event.data]
    assert {one["stage"] for one in shown} == {"transcription", "diarization", "assessment"}
    assert all(0 <= one["percent"] <= 100 and one["expected_s"] >= 0 for one in shown)
