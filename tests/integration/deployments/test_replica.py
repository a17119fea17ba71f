"""Replicas in one process over a real database: loading, sharing memory, eviction, running out of memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from deployments.backends import BACKENDS
from deployments.backends.fake import FakeTranscriber
from deployments.replica import heartbeat
from deployments.replica.events import CallAccepted, Failed, Inference, ModelEvent, Result
from deployments.replica.heartbeat import HEARTBEAT_S
from deployments.replica.lifecycle import Limits
from deployments.replica.pool_client import DatabasePoolClient
from deployments.replica.replica import Replica
from serve_app.model_pool import admission, registry
from serve_app.model_pool.models import ModelLoad, ModelReplica, ModelState
from serve_app.model_pool.status import get_status
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ModelRequest, ModelRole
from serve_app.services import Services
from tests.support.fakes import fake_spec

SIZE = 100
"""MiB that a fake holds; the process itself varies by less than 40."""
BUDGET = 250
"""Room for two."""

Make = Callable[..., Replica]


@pytest.fixture
async def replica(services: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes replicas that share one memory budget. All live in this process, so each measures only its own growth."""
    monkeypatch.setitem(BACKENDS, "fake_transcriber", f"{__name__}:{CallingBackend.__name__}")
    made: list[Replica] = []

    def make(role: ModelRole = "asr", limits: Limits | None = None, **options: Any) -> Replica:
        reports = DatabasePoolClient(services.database, services.bus)
        spec = fake_spec(role, **options).model_copy(update={"footprint_mib": SIZE})
        limits = limits or Limits(BUDGET, room_deadline_s=5.0)
        made.append(Replica(role, spec, f"{role}-{len(made)}", reports, limits))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def follow(events: AsyncIterator[ModelEvent]) -> list[str]:
    """The events' names, repetitions dropped; a failure by its class."""
    names: list[str] = []
    async for event in events:
        name = event.error if isinstance(event, Failed) else type(event).__name__
        if names[-1:] != [name]:
            names.append(name)
    return names


class Work(ModelRequest[str]):
    """A request that brings its own work; `CallingBackend` runs it."""

    def __init__(self, call: Callable[[Any, Callable[[float], None]], Any]) -> None:
        self.call = call


class CallingBackend(FakeTranscriber):
    """The fake model, running whatever a request brings."""

    def run(self, request: Any, progress: Callable[[float], None]) -> Any:
        return request.call(self, progress)


def work(seconds: float = 0.0) -> Work:
    """Work of a fixed length that reports progress, so that it can be stopped."""

    def run(_backend: Any, progress: Callable[[float], None]) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            progress(0.5)
        return "done"

    return Work(run)


async def row(services: Services, replica_id: str) -> ModelReplica:
    async with services.database.transaction() as session:
        return await session.get_one(ModelReplica, replica_id)


async def wants_room(services: Services, replica_id: str) -> bool:
    async with services.database.transaction() as session:
        found = await session.get(ModelReplica, replica_id)
    return found is not None and found.memory_requested_at is not None


async def until(services: Services, replica_id: str, holds: Callable[[ModelReplica], bool]) -> None:
    """Wait until a replica's row satisfies `holds`, at most 5 s."""
    end = time.monotonic() + 5.0
    while not holds(found := await row(services, replica_id)):
        assert time.monotonic() < end, f"{replica_id} stayed {found!r}"
        await asyncio.sleep(0.02)


async def test_cold_then_warm(replica: Make) -> None:
    """Loading is reported by the call that finds the model cold, and by no later one."""
    asr = replica(load_s=0.1)
    assert await follow(asr.run(work())) == ["CallAccepted", "Loading", "Inference", "Result"]
    assert await follow(asr.run(work())) == ["CallAccepted", "Inference", "Result"]


async def test_the_footprint_is_what_the_process_grew_by(services: Services, replica: Make) -> None:
    """The footprint is measured, stored with the load, and expected of the next load."""
    await follow(replica(hold_mib=SIZE).warm())
    loaded = await row(services, "asr-0")
    assert loaded.footprint_mib is not None
    assert SIZE <= loaded.footprint_mib < SIZE + 40
    history = await DatabasePoolClient(services.database).load_history("fake-asr")
    assert history.footprint_mib == loaded.footprint_mib


async def test_callers_share_one_load(services: Services, replica: Make) -> None:
    """Five calls at once cause one load."""
    asr = replica(load_s=0.2)
    await asyncio.gather(*(follow(asr.run(work())) for _ in range(5)))
    async with services.database.transaction() as session:
        assert len((await session.exec(select(ModelLoad))).all()) == 1


async def test_an_idle_model_leaves_for_one_that_is_needed(services: Services, replica: Make) -> None:
    """The least recently used of two models is evicted, and the third loads within two seconds."""
    await occupy(services, "recent", SIZE, idle_s=5)
    await occupy(services, "old", SIZE, idle_s=50)
    leaving = asyncio.create_task(leave_when_asked(services, "old"))
    began = time.monotonic()
    assert await follow(replica().run(work())) == ["CallAccepted", "Loading", "Inference", "Result"]
    assert time.monotonic() - began < 2
    await leaving
    assert (await row(services, "recent")).evict_requested_at is None


async def test_a_replica_that_is_asked_unloads_at_once(
    services: Services, replica: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus wakes the replica; it unloads, clears the request, and the next call loads again."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 60.0)  # so that only the bus can wake it
    asr = replica(hold_mib=SIZE)
    await follow(asr.run(work()))
    await until(services, "asr-0", lambda asr: asr.state is ModelState.WARM)
    await ask(services, "asr-0")
    await until(services, "asr-0", lambda asr: asr.state is ModelState.COLD)
    left = await row(services, "asr-0")
    assert left.held_mib < 40
    await until(services, "asr-0", lambda asr: asr.evict_requested_at is None)
    assert "Loading" in await follow(asr.run(work()))


async def test_a_busy_replica_declines_to_leave(services: Services, replica: Make) -> None:
    """The work goes on, the eviction request is cleared, and the model stays warm."""
    asr = replica()
    await follow(asr.warm())
    call = asyncio.create_task(follow(asr.run(work(1.0))))
    await asyncio.sleep(0.2)
    await ask(services, "asr-0")
    await asyncio.sleep(0.4)
    assert (await row(services, "asr-0")).evict_requested_at is None
    assert (await call)[-1] == "Result"
    assert (await row(services, "asr-0")).state is ModelState.WARM


async def test_no_room_is_waited_for_until_the_deadline(services: Services, replica: Make) -> None:
    """At the deadline the call fails with VramUnavailable; once memory is free the same replica serves."""
    await occupy(services, "busy", SIZE * 2, in_flight=1)
    asr = replica(limits=Limits(BUDGET, room_deadline_s=1.0))
    began = time.monotonic()
    assert (await follow(asr.run(work())))[-1] == "VramUnavailable"
    assert 0.9 < time.monotonic() - began < 10
    await pretend_held(services, "busy", 0)
    assert (await follow(asr.run(work())))[-1] == "Result"


async def test_room_that_comes_free_is_taken(services: Services, replica: Make) -> None:
    """A waiting call continues as soon as another model has unloaded."""
    await occupy(services, "busy", SIZE * 2, in_flight=1)
    call = asyncio.create_task(follow(replica().run(work())))
    async with asyncio.timeout(10):
        while not await wants_room(services, "asr-0"):  # noqa: ASYNC110 — a row of the database
            await asyncio.sleep(0.05)
    await pretend_held(services, "busy", 0)
    assert (await asyncio.wait_for(call, 3))[-1] == "Result"
    assert (await row(services, "asr-0")).memory_requested_at is None


async def test_a_model_larger_than_the_budget_fails_at_once(replica: Make) -> None:
    """A request above the budget fails without waiting for the deadline."""
    asr = replica(limits=Limits(SIZE - 1, room_deadline_s=30.0))
    events = await asyncio.wait_for(follow(asr.run(work())), 3)
    assert events[-1] == "VramUnavailable"


async def test_the_last_room_is_given_once(services: Services, replica: Make) -> None:
    """Two replicas ask at the same moment; one loads, the other waits."""
    limits = Limits(SIZE + SIZE // 2, room_deadline_s=1.0)
    pair = [replica(limits=limits, load_s=0.3, hold_mib=SIZE) for _ in range(2)]
    ends = await asyncio.gather(*(follow(one.run(work(2.5))) for one in pair))
    assert sorted(end[-1] for end in ends) == ["Result", "VramUnavailable"]


async def test_the_dead_hold_no_room(services: Services, replica: Make) -> None:
    """The row of a killed process holds no memory."""
    await occupy(services, "killed", BUDGET, in_flight=1, pid=DEAD)
    assert (await follow(replica().run(work())))[-1] == "Result"


async def test_running_out_of_memory_while_loading_is_the_same_case(replica: Make, tmp_path: Path) -> None:
    """The load is retried until the deadline, then the call fails with VramUnavailable; the next call can succeed."""
    flag = tmp_path / "fail"
    flag.write_text("oom")
    asr = replica(limits=Limits(BUDGET, room_deadline_s=0.8), fail=str(flag))
    assert (await follow(asr.run(work())))[-1] == "VramUnavailable"
    flag.unlink()
    assert (await follow(asr.run(work())))[-1] == "Result"


async def test_memory_that_comes_free_in_time_saves_the_call(replica: Make, tmp_path: Path) -> None:
    """The load that ran out of memory is repeated for the same caller."""
    flag = tmp_path / "fail"
    flag.write_text("oom")
    call = asyncio.create_task(follow(replica(fail=str(flag)).run(work())))
    await asyncio.sleep(0.5)
    flag.unlink()
    assert (await asyncio.wait_for(call, 4))[-1] == "Result"


async def test_a_broken_load_fails_its_callers_and_the_next_call_tries_again(replica: Make, tmp_path: Path) -> None:
    """All waiting calls fail, and the replica stays in service."""
    flag = tmp_path / "fail"
    flag.write_text("broken")
    asr = replica(fail=str(flag))
    ends = await asyncio.gather(*(follow(asr.run(work())) for _ in range(3)))
    assert {end[-1] for end in ends} == {"WeightsUnavailable"}
    flag.unlink()
    assert (await follow(asr.run(work())))[-1] == "Result"


async def test_idle_weights_leave_in_place(services: Services, replica: Make) -> None:
    """Weights are unloaded after the idle time, not before; the next call reloads in the same process."""
    asr = replica(limits=Limits(BUDGET, room_deadline_s=5.0, unload_after_s=1.0), hold_mib=SIZE)
    await follow(asr.run(work(1.5)))
    await asyncio.sleep(0.3)
    assert (await row(services, "asr-0")).state is ModelState.WARM
    await until(services, "asr-0", lambda asr: asr.state is ModelState.COLD)
    assert await follow(asr.run(work())) == ["CallAccepted", "Loading", "Inference", "Result"]


async def test_calls_that_meet_an_unload_just_load_again(replica: Make) -> None:
    """Fifteen calls aimed at the idle time: each ends with a result."""
    asr = replica(limits=Limits(BUDGET, room_deadline_s=5.0, unload_after_s=0.05))
    for round_ in range(15):
        events = await follow(asr.run(work()))
        assert events[-2:] == ["Inference", "Result"]
        await asyncio.sleep(0.03 + round_ % 5 * 0.02)
        await asr.heartbeat()


async def test_a_caller_who_leaves_stops_waiting_for_room(services: Services, replica: Make) -> None:
    """A load that no caller waits for any more is given up."""
    await occupy(services, "busy", SIZE * 2, in_flight=1)
    call = asyncio.create_task(follow(replica().run(work())))
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(2.5)
    left = await row(services, "asr-0")
    assert (left.memory_requested_at, left.in_flight, left.state) == (None, 0, ModelState.COLD)


async def test_a_prefetch_takes_free_room_only(services: Services, replica: Make) -> None:
    """`warm` does not evict; the call that needs the model does."""
    await occupy(services, "idle", SIZE * 2)
    asr = replica(limits=Limits(BUDGET, room_deadline_s=0.3))
    assert (await follow(asr.warm()))[-1] == "VramUnavailable"
    assert (await row(services, "idle")).evict_requested_at is None


async def test_an_abandoned_call_frees_the_turn(replica: Make) -> None:
    """A canceled call stops its work, so the next call does not wait for it."""
    asr = replica()
    call = asyncio.create_task(follow(asr.run(work(30))))
    await asyncio.sleep(0.3)
    call.cancel()
    assert (await asyncio.wait_for(follow(asr.run(work())), 3))[-1] == "Result"


async def test_an_abandoned_call_counts_until_its_work_has_ended(services: Services, replica: Make) -> None:
    """Until the thread ends the replica counts as busy, declines eviction, and lets the next call wait."""
    asr = replica()
    await follow(asr.warm())
    free = threading.Event()
    left = asyncio.create_task(follow(asr.run(Work(lambda _backend, _progress: free.wait(30)))))
    await asyncio.sleep(0.2)
    left.cancel()
    after = asyncio.create_task(follow(asr.run(work())))
    await ask(services, "asr-0")
    await asyncio.sleep(HEARTBEAT_S + 0.3)
    busy = await row(services, "asr-0")
    assert (busy.in_flight, busy.waiting, busy.state, busy.evict_requested_at) == (2, 1, ModelState.WARM, None)
    free.set()
    assert await after == ["CallAccepted", "Inference", "Result"]
    await asyncio.sleep(0.3)
    assert (await row(services, "asr-0")).in_flight == 0


def test_event_names_are_the_protocol() -> None:
    """What `follow` reports are these classes."""
    assert [kind.__name__ for kind in (CallAccepted, Loading, Inference, Result)] == [
        "CallAccepted", "Loading", "Inference", "Result",
    ]  # fmt: skip


# Other processes, as rows -------------------------------------------------------------------------------

DEAD = 2**22 + 1
"""Above the largest process id of Linux."""


async def occupy(
    services: Services, name: str, held: int, *, in_flight: int = 0, pid: int | None = None, idle_s: float = 0
) -> None:
    """Another replica that holds memory of this host."""
    import os
    import socket

    neighbour = ModelReplica(
        replica_id=name, role="asr", name=name, state=ModelState.WARM, device="cpu",
        device_id=f"{socket.gethostname()}/cpu", pid=pid or os.getpid(), held_mib=held, in_flight=in_flight,
        last_used_at=datetime.now(UTC) - timedelta(seconds=idle_s),
    )  # fmt: skip
    async with services.database.transaction() as session:
        await registry.upsert_replica(session, neighbour)
        born = update(ModelReplica).where(col(ModelReplica.replica_id) == name)
        await session.exec(born.values(started_at=datetime.now(UTC) - timedelta(hours=1)))


async def pretend_held(services: Services, name: str, held: int) -> None:
    """Set the memory that a row holds, as its next heartbeat would."""
    async with services.database.transaction() as session:
        await session.exec(update(ModelReplica).where(col(ModelReplica.replica_id) == name).values(held_mib=held))


async def ask(services: Services, name: str) -> None:
    """Request a replica's eviction."""
    async with services.database.transaction() as session:
        await admission.request_eviction(session, (name,))


async def leave_when_asked(services: Services, name: str) -> None:
    """Unload when the row has an eviction request, as another process would."""
    while (await row(services, name)).evict_requested_at is None:  # noqa: ASYNC110 - another process's row has no event
        await asyncio.sleep(0.02)
    async with services.database.transaction() as session:
        left = update(ModelReplica).where(col(ModelReplica.replica_id) == name)
        await session.exec(left.values(held_mib=0, state=ModelState.COLD))


async def test_the_status_says_when_a_model_was_used_last_by_a_process_that_left(services: Services) -> None:
    """The model is cold without a replica, and one row of its past processes is kept."""
    for number in range(3):
        await occupy(services, "asr", 10, idle_s=60 - number)
        async with services.database.transaction() as session:
            renamed = update(ModelReplica).where(col(ModelReplica.replica_id) == "asr")
            await session.exec(renamed.values(replica_id=f"replica-{number}", name="fake-asr"))
            await registry.retire_replica(session, f"replica-{number}")
    async with services.database.transaction() as session:
        asr = (await get_status(session, services.roster)).models[0]
        kept = (await session.exec(select(ModelReplica.replica_id))).all()
    assert (asr.state, asr.replicas, asr.instances) == (ModelState.COLD, 0, [])
    assert asr.last_used_at is not None
    assert kept == ["replica-2"]
