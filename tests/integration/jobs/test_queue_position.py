"""Queue positions and progress in a job's events."""

from typing import Any

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import queries
from serve_app.services import Services
from serve_app.sweeper import Sweeper
from tests.support.calls import submit
from tests.support.world import Customer


async def positions(services: Services, job_id: str) -> list[dict[str, Any]]:
    """Data of all events with a queue position, in order."""
    async with services.database.transaction() as session:
        events = await queries.events_after(session, job_id, 0)
    return [event.data for event in events if "queue_position" in event.data]


async def test_a_queued_job_reports_its_position_when_it_changes(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The position is reported once when it is 3, and again when it becomes 2."""
    _, _, third = [(await submit(client, customer, seconds=10)).json()["job_id"] for _ in range(3)]
    executor = Executor(services, pool)
    sweeper = Sweeper(services, executor.run_next)
    await sweeper.sweep()
    assert [data["queue_position"] for data in await positions(services, third)] == [3]
    await executor.run_next()
    for _ in range(3):
        await sweeper.sweep()
    reported = await positions(services, third)
    assert [data["queue_position"] for data in reported] == [3, 2]
    assert reported[0]["expected_s"] > reported[1]["expected_s"] > 0


async def test_a_running_job_reports_percent_stage_and_seconds_left(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Progress events hold stage, percent and expected seconds."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    async with services.database.transaction() as session:
        events = [event for event in await queries.events_after(session, job_id, 0) if event.kind == "progress"]
    shown = [event.data for event in events if "stage" in event.data]
    assert {data["stage"] for data in shown} == {"transcription", "diarization", "assessment"}
    assert all(0 <= data["percent"] <= 100 and data["expected_s"] >= 0 for data in shown)
