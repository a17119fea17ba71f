"""Dependencies that are away: every route says so with a retryable 503 after a bounded wait, and recovers."""

import asyncio
import resource
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.launcher.embedded import postgres, valkey
from serve_app.errors import InputLost, Unavailable
from serve_app.http.app import create_app
from serve_app.jobs.lifecycle import topic
from serve_app.migrate import migrate
from serve_app.services import Services, build_services
from serve_app.settings import Settings
from tests.conftest import ROSTER
from tests.support.calls import JOBS, error, submit
from tests.support.fakes import RecordedNotifications
from tests.support.world import Customer, new_customer, tone

JOB = "/v1/jobs/job_00000000000000000000"
ROUTES = [
    ("GET", "/healthz"),
    ("GET", "/v1/models/status"),
    ("GET", "/v1/jobs"),
    ("GET", JOB),
    ("GET", f"{JOB}/events"),
    ("GET", f"{JOB}/transcript"),
    ("POST", f"{JOB}/cancel"),
    ("POST", f"{JOB}/retry"),
    ("DELETE", JOB),
    ("GET", "/v1/credits"),
    ("GET", "/v1/credits/ledger"),
    ("GET", "/v1/keys"),
    ("POST", JOBS),
]
TIMEOUT_S = 1.0
CANCEL_S = 10
"""psycopg waits twice 5 s for a server to cancel a running query, then closes the connection."""


@contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """Processes that do not run for a while: they keep their sockets open and answer nothing."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def server_of(data: Path) -> list[psutil.Process]:
    """A PostgreSQL server's processes."""
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
    return [postmaster, *postmaster.children(recursive=True)]


class Outage:
    """Services over a PostgreSQL and a Valkey of this test's own, and a client of them."""

    def __init__(self, folder: Path, services: Services, customer: Customer, client: httpx.AsyncClient) -> None:
        self.data, self.services, self.customer, self.client = folder / "data", services, customer, client

    async def call(self, method: str, path: str) -> httpx.Response:
        """A request with the customer's key."""
        files = {"file": ("call.wav", tone(2), "audio/wav")} if path == JOBS else None
        data = {"role_title": "Engineer"} if path == JOBS else None
        return await self.client.request(method, path, headers=self.customer.headers, files=files, data=data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outage")


@pytest.fixture(scope="module")
def own_postgres(folder: Path) -> Iterator[str]:
    with postgres(folder / "data") as url:
        migrate(url)
        yield url


@pytest.fixture
async def outage(own_postgres: str, folder: Path, tmp_path: Path) -> AsyncIterator[Outage]:
    with valkey() as redis_url:
        settings = Settings(
            database_url=own_postgres, redis_url=redis_url, blob_url=f"file://{tmp_path / 'blobs'}",
            secret_key="test secret", database_timeout_s=TIMEOUT_S,
        )  # fmt: skip
        services = build_services(settings, RecordedNotifications(), ROSTER)
        customer = await new_customer(services.database)
        transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Outage(folder, services, customer, client)
        await services.close()


def is_unavailable(response: httpx.Response, code: str = "unavailable") -> bool:
    """Whether the response is the documented refusal of an outage."""
    detail = response.json()["detail"]
    assert (error(response), detail["retryable"]) == (code, True), response.text
    assert int(response.headers["retry-after"]) > 0
    return response.status_code == (507 if code == "storage_full" else 503)


async def test_a_stopped_database_gets_a_503_on_every_route_after_a_bounded_wait(outage: Outage) -> None:
    """The database keeps its connections and answers nothing; nobody waits longer than the limit, and it recovers."""
    assert (await outage.call("GET", "/v1/jobs")).status_code == 200  # a connection is open in the pool
    with stopped(server_of(outage.data)):
        began = time.monotonic()
        answers = await asyncio.gather(*(outage.call(*route) for route in ROUTES))
        assert time.monotonic() - began < TIMEOUT_S + CANCEL_S + 3
    assert all(is_unavailable(answer) for answer in answers)
    assert (await outage.call("GET", "/v1/jobs")).json()["data"] == []
    assert (await outage.call("POST", JOBS)).status_code == 202


async def test_a_database_that_is_gone_gets_a_503_at_once(outage: Outage) -> None:
    """No socket answers; the answer comes before any limit."""
    socket_folder = outage.data
    hidden = socket_folder.with_name("hidden")
    await outage.services.database.engine.dispose()
    socket_folder.rename(hidden)
    try:
        for route in ROUTES:
            assert is_unavailable(await outage.call(*route)), route
    finally:
        hidden.rename(socket_folder)
    assert (await outage.call("GET", "/v1/credits")).status_code == 200


async def test_a_stream_ends_with_the_database_and_is_resumed(outage: Outage) -> None:
    """No traceback and no broken connection: the client goes on after its last event once the database is back."""
    job_id = (await outage.call("POST", JOBS)).json()["job_id"]
    reading = asyncio.create_task(outage.call("GET", f"/v1/jobs/{job_id}/events"))
    hidden = outage.data.with_name("hidden")
    await asyncio.sleep(0.5)  # the stream waits for more
    outage.data.rename(hidden)
    try:
        await outage.services.database.engine.dispose()
        await outage.services.bus.publish([topic(job_id)])
        text = (await asyncio.wait_for(reading, 20)).text
    finally:
        hidden.rename(outage.data)
    assert '"status":"queued"' in text.replace(" ", "")
    assert '"terminal":true' not in text.replace(" ", "")


async def test_a_stopped_redis_holds_up_no_request(outage: Outage) -> None:
    """Requests are served without rate limits and wake-ups; health and pool say that they are degraded."""
    assert (await outage.call("GET", "/v1/jobs")).status_code == 200
    port = outage.services.settings.redis_url.rpartition(":")[2].partition("/")[0]
    servers = [
        process for process in psutil.process_iter(["cmdline"]) if any(port in part for part in process.info["cmdline"])
    ]
    assert servers
    with stopped(servers):
        for path, key in (("/healthz", "status"), ("/v1/models/status", "degraded")):
            state = (await outage.call("GET", path)).json()
            assert state[key] in {"degraded", True}
            assert "Redis does not answer" in state["reason"]
        began = time.monotonic()
        assert (await outage.call("POST", JOBS)).status_code == 202
        assert time.monotonic() - began < 8


async def test_a_store_that_is_away_gets_a_503_and_charges_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer, tmp_path: Path
) -> None:
    """A folder that cannot be written, like a store mounted read-only or not at all."""
    blobs = tmp_path / "blobs"
    shutil.rmtree(blobs)
    blobs.write_text("no folder")  # a file in its place: unlike permissions, this stops root as well
    assert is_unavailable(await submit(client, customer))
    quote = await client.post(f"{JOBS[:-5]}/quote", files={"file": ("a.wav", tone(2))}, headers=customer.headers)
    assert is_unavailable(quote)
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100
    blobs.unlink()
    blobs.mkdir()
    assert (await submit(client, customer)).status_code == 202
    blob = (await services.blobs.older_than(0))[0]
    with services.blobs.local(blob) as path:
        path.unlink()
    with pytest.raises(InputLost), services.blobs.local(blob):
        pass
    blobs.rmdir()
    with pytest.raises(Unavailable), services.blobs.local(blob):
        pass


async def test_a_full_store_gets_a_507_and_keeps_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Writing fails in the middle of the file; the half is deleted and nothing is charged."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        refused = await submit(client, customer, seconds=20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert is_unavailable(refused, "storage_full")
    assert await services.blobs.older_than(0) == []
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100
