"""Fixtures: one PostgreSQL and one Valkey for the whole run, a new database and new services per test."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from deployments.replica.local_pool import LocalPool
from scripts.launcher.embedded import postgres, valkey
from serve_app.executor import Executor
from serve_app.http.app import create_app
from serve_app.migrate import migrate
from serve_app.model_pool.status import RosterEntry
from serve_app.services import Services, build_services
from serve_app.settings import Settings
from serve_app.storage.database import Database
from tests.support.asgi import HangsUpOnceAnswered
from tests.support.fakes import RecordedNotifications, local_pool
from tests.support.world import Customer, new_customer

settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared_machine")  # a test fails on what it finds, never on how busy the machine is

NUMBERS = itertools.count(1)
ROSTER = [
    RosterEntry("asr", "fake-asr", 1),
    RosterEntry("diarizer", "fake-diarizer", 1),
    RosterEntry("assessor", "fake-assessor", 1),
]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server with a migrated database called `template`."""
    with tempfile.TemporaryDirectory(prefix="rs-pg-") as folder, postgres(Path(folder) / "data") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template")
        migrate(named(url, "template"))
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey server."""
    with valkey() as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """An empty database with the newest schema."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
        yield named(postgres_url, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def named(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return url.replace("/postgres?", f"/{database}?")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings that point at the test's own servers, with short intervals."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        blob_url=f"file://{tmp_path / 'blobs'}",
        public_url="http://test",
        secret_key=SecretStr("test secret"),
        lease_s=3.0,
        sweep_s=0.2,
    )


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Services over the test's own servers. Notifications are recorded and run nothing."""
    services = build_services(settings, RecordedNotifications(), ROSTER)
    await services.limiter._limiter.storage.reset()  # all tests share one Valkey and one address
    yield services
    await services.close()


@pytest.fixture
async def pool(services: Services) -> AsyncIterator[LocalPool]:
    """Cold fake models in this process."""
    pool = local_pool(services.database)
    yield pool
    await pool.close()


@pytest.fixture
async def executor(services: Services, pool: LocalPool) -> AsyncIterator[None]:
    """Runs jobs one after the other, as they come."""

    async def run() -> None:
        while True:
            if not await Executor(services, pool).run_next():
                await asyncio.sleep(0.1)

    task = asyncio.create_task(run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app that Ray serves."""
    transport = httpx.ASGITransport(HangsUpOnceAnswered(create_app(services)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def customer(services: Services) -> Customer:
    """A customer with 100 credits and a key for all products."""
    return await new_customer(services.database)
