"""The pool's page: states in words, memory, who waits, and the cold starts of a day."""

import re
from datetime import UTC, datetime, timedelta

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState, ProcessStart
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.world import Customer


def load(hours_ago: float, seconds: float, name: str = "fake-asr") -> ModelLoad:
    """A load that ended some hours ago."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return ModelLoad(role="asr", name=name, device="cpu", seconds=seconds, bytes=1, at=at)


async def test_the_page_needs_no_key_and_keeps_its_old_address(client: httpx.AsyncClient) -> None:
    """Both addresses show the same, from this server alone."""
    page, old = await client.get("/pool"), await client.get("/dashboard")
    assert page.status_code == 200
    assert page.text == old.text
    assert "0 of 3 models are warm; no job waits." in page.text
    assert 'href="/v1/models/status"' in page.text
    assert "https://" not in page.text


async def test_states_memory_and_waiting_jobs_are_told_in_words(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """A finished job leaves warm models; a loading one shows how far it is; a queued job is counted."""
    await submit(client, customer)
    await Executor(services, pool).run_next()
    await submit(client, customer)
    loading = ModelReplica(
        replica_id="r", role="assessor", name="fake-assessor", state=ModelState.LOADING, device="cuda:0",
        device_id="node/gpu", held_mib=2048, bytes_loaded=40, bytes_total=100,
    )  # fmt: skip
    device = ModelDevice(device_id="node/gpu", device="cuda:0", total_mib=24576, free_mib=20480, budget_mib=22528)
    async with services.database.transaction() as session:
        session.add_all([loading, device])
    page = (await client.get("/pool")).text
    assert "RecruitScreen: 1 job in the queue" in page
    assert "models hold 2.0 GiB of the 22.0 GiB that they may have together" in page
    assert 'max="100" value="40"' in page
    assert re.search(r"\d of 3 models are warm(, 1 loading)?; 1 job waits\.", page)


async def test_cold_starts_of_the_last_day_are_counted_by_hour(client: httpx.AsyncClient, services: Services) -> None:
    """Older ones are left out, and so are models that the deployment does not have."""
    start = ProcessStart(role="asr", name="fake-asr", seconds=2.5, at=datetime.now(UTC))
    rows = [load(0.5, 2.0), load(1.5, 4.0), load(1.6, 6.0), load(25, 60.0), load(1, 9.0, name="other")]
    async with services.database.transaction() as session:
        session.add_all([*rows, start])
    page = (await client.get("/pool")).text
    assert f"Loads of fake-asr by hour: {'0, ' * 22}2, 1" in page
    row = re.search(r"<td>fake-asr</td>.*?</tr>", page, re.DOTALL)[0]  # type: ignore[index]
    assert re.findall(r'data-label="[^"]+">([^<]+)', row) == ["3", "4.0 s", "5.8 s", "1", "2.5 s"]
    assert "other" not in page.split("<tbody>")[1]
