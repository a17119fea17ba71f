"""Both Python clients against a running API: what they send is what it takes."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recruitscreen_client import ApiError, AsyncRecruitScreen, RecruitScreen

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http.app import create_app
from serve_app.services import Services
from serve_app.settings import Settings
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.sending import LEASE_S, Sender
from tests.support.asgi import served
from tests.support.receiver import Answer, receiving
from tests.support.world import Customer, tone


async def test_the_async_client_follows_a_job_to_its_result(
    services: Services, pool: LocalPool, customer: Customer, tmp_path: Path
) -> None:
    """Submit, events, result, transcript, export, another assessment, lists, usage."""
    recording = tmp_path / "call.wav"
    recording.write_bytes(tone(2))
    async with (
        served(create_app(services)) as port,
        AsyncRecruitScreen(customer.secret, f"http://127.0.0.1:{port}") as client,
    ):
        submitted = await client.submit(recording, "Nurse", label="4711", metadata={"team": "x"})
        job_id = submitted["job_id"]
        work = asyncio.create_task(Executor(services, pool).run_next())
        events = [event async for event in client.events(job_id)]
        await work
        assert (events[0].status, events[-1].status) == ("queued", "completed")
        assert (await client.wait(job_id))["result"]["assessment"]["model"] == "fake-assessor"
        assert await client.transcript(job_id)
        assert (await client.export(job_id, "md")).startswith(b"#")
        again = await client.reassess(job_id, role_title="Senior nurse")
        assert [version["job_id"] for version in await client.assessments(job_id)] == [job_id, again["job_id"]]
        assert (await client.review(job_id, reviewer="R. 1", note="Seen"))["reviewer"] == "R. 1"
        assert [row["job_id"] async for row in client.list("completed", metadata={"team": "x"})] == [job_id]
        assert sum([row["credits"] async for row in client.ledger()]) == 98
        assert (await client.usage(by=["day"]))["total"]["jobs"] == 2
        with pytest.raises(ApiError, match="No job"):
            await client.job("job_unknown")


@pytest.fixture
def sender(settings: Settings, services: Services) -> Sender:
    """Delivers to this machine for once."""
    settings.webhook_allow_loopback = services.settings.webhook_allow_loopback = True
    return Sender.of(settings)


async def test_both_clients_manage_webhook_endpoints(services: Services, sender: Sender, customer: Customer) -> None:
    """Create, list, change, test, log, replay, rotate and delete, with one client and the other."""
    deliverer = Deliverer(services.database, services.bus, sender, LEASE_S)
    with receiving() as receiver:
        async with served(create_app(services)) as port:
            url = f"http://127.0.0.1:{port}"
            async with AsyncRecruitScreen(customer.secret, url) as client:
                made = await client.webhooks.create(receiver.url, events=["endpoint.test", "job.completed"])
                webhook_id = made["webhook_id"]
                receiver.answer = lambda _: Answer(200)
                told = await client.webhooks.test(webhook_id)
                await deliverer.deliver_due()
                assert [one.id for one in receiver.received] == [told["event_id"]]
                (delivery,) = [row async for row in client.webhooks.deliveries(webhook_id)]
                assert (delivery["event_id"], delivery["status"]) == (told["event_id"], "delivered")
                (attempt,) = [row async for row in client.webhooks.attempts(webhook_id)]
                assert (attempt["status"], attempt["answer"]) == (200, "thanks")
                since = datetime.now(UTC) - timedelta(hours=1)
                assert await client.webhooks.replay(webhook_id, since=since) == 1
                await deliverer.deliver_due()
                assert [one.id for one in receiver.received] == [told["event_id"]] * 2
            await asyncio.to_thread(_manage, url, customer.secret, webhook_id, made["secret"])


def _manage(url: str, key: str, webhook_id: str, secret: str) -> None:
    with RecruitScreen(key, url) as client:
        assert [one["webhook_id"] for one in client.webhooks.list()] == [webhook_id]
        changed = client.webhooks.update(webhook_id, description="ATS", events=None, enabled=False)
        assert (changed["description"], changed["events"], changed["enabled"]) == ("ATS", None, False)
        assert client.webhooks.rotate(webhook_id)["secret"] != secret
        with pytest.raises(ApiError) as conflict:
            client.webhooks.rotate(webhook_id)
        assert conflict.value.status == 409
        assert len(client.webhooks.rotate(webhook_id, overlap_s=60, force=True)["public_keys"]) == 2
        client.webhooks.delete(webhook_id)
        with pytest.raises(ApiError):
            client.webhooks.get(webhook_id)
