"""Nothing is lost when the delivering process is killed at any point."""

import asyncio
import multiprocessing
import signal
from collections import Counter

import httpx
import pytest
from sqlmodel import select

from serve_app.services import Services
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.models import Delivery, DeliveryState, Event
from serve_app.webhooks.sending import Sender
from tests.integration.webhooks.test_delivery import cancel_one, the_log
from tests.support.dying_deliverer import Point, deliver_and_die
from tests.support.receiver import Receiver
from tests.support.world import Customer

ROUNDS = 20
LEASE_S = 0.5


@pytest.mark.parametrize("point", ["before sending", "after sending"])
async def test_every_event_arrives_though_its_process_is_killed(
    client: httpx.AsyncClient,
    services: Services,
    customer: Customer,
    endpoint: dict[str, str],
    receiver: Receiver,
    point: Point,
) -> None:
    """Twenty processes die between commit and send, or between send and note; duplicates have the same id and body."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.dying_deliverer"])
    settings = services.settings
    for _ in range(ROUNDS):
        await cancel_one(client, customer)
        process = context.Process(
            target=deliver_and_die, args=(settings.database_url, settings.redis_url, point, LEASE_S)
        )
        process.start()
        await asyncio.to_thread(process.join, 60)
        assert process.exitcode == -signal.SIGKILL
    deliverer = Deliverer(services.database, services.bus, Sender.of(settings), LEASE_S)
    async with services.database.transaction() as session:
        events = set((await session.exec(select(Event.id))).all())
    assert len(events) == ROUNDS
    async with asyncio.timeout(60):
        while await states(services) != {DeliveryState.DELIVERED}:
            await deliverer.deliver_due()
            await asyncio.sleep(0.05)
    arrived = Counter(request.id for request in receiver.received)
    assert set(arrived) == events
    if point == "after sending":
        assert max(arrived.values()) > 1
    assert len({(request.id, request.body) for request in receiver.received}) == ROUNDS
    assert any(row["duration_ms"] is None for row in await the_log(client, customer, endpoint, limit=100))


async def states(services: Services) -> set[DeliveryState]:
    async with services.database.transaction() as session:
        return set((await session.exec(select(Delivery.state))).all())


async def test_several_processes_share_the_queue(
    client: httpx.AsyncClient, services: Services, customer: Customer, endpoint: object, receiver: Receiver
) -> None:
    """While nobody dies, each event is sent once, whoever sends it."""
    for _ in range(12):
        await cancel_one(client, customer)
    sender = Sender.of(services.settings)
    deliverers = [Deliverer(services.database, services.bus, sender, 30) for _ in range(4)]
    async with asyncio.timeout(60):
        while await states(services) != {DeliveryState.DELIVERED}:
            await asyncio.gather(*(deliverer.deliver_due() for deliverer in deliverers))
    assert sorted(Counter(request.id for request in receiver.received).values()) == [1] * 12


async def test_a_running_deliverer_is_woken_by_an_event(
    client: httpx.AsyncClient,
    customer: Customer,
    endpoint: object,
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    """`run_forever` delivers soon after the commit, and goes on with the next event of the job."""
    running = asyncio.create_task(deliverer.run_forever())
    try:
        job_id = await cancel_one(client, customer)
        await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
        async with asyncio.timeout(15):
            while len(receiver.received) < 2:  # noqa: ASYNC110 - another thread receives
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
    assert receiver.types == ["job.canceled", "job.deleted"]
