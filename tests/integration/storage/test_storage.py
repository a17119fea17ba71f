"""Bus, blobs and migrations, over real servers."""

import asyncio
import io

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from scripts.launcher.embedded import valkey
from serve_app import migrate as schema
from serve_app.storage.blobs import Blobs
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus


async def test_a_waiting_reader_is_woken(redis_url: str) -> None:
    """A publish of its topic from another connection wakes a reader."""
    reader, writer = Bus(redis_url), Bus(redis_url)
    async with reader.waiting_for("job:1") as woken:
        await connected(reader)
        woken.clear()
        await writer.publish(["job:1"])
        await asyncio.wait_for(woken.wait(), 2)
    await reader.close()
    await writer.close()


async def test_other_topics_do_not_wake_a_reader(redis_url: str) -> None:
    """A publish wakes only the readers of its topic."""
    bus = Bus(redis_url)
    async with bus.waiting_for("job:1") as woken, bus.waiting_for("job:2") as other:
        await connected(bus)
        woken.clear()
        other.clear()
        await bus.publish(["job:2"])
        await asyncio.wait_for(other.wait(), 2)
        assert not woken.is_set()
    await bus.close()


async def test_the_bus_works_on_without_redis() -> None:
    """Without Redis a publish does not raise, and `connected` is False."""
    with valkey() as url:
        bus = Bus(url)
        async with bus.waiting_for("job:1"):
            await connected(bus)
    await bus.publish(["job:1"])
    async with bus.waiting_for("job:1") as woken:
        for _ in range(100):
            if not bus.connected:
                break
            await asyncio.sleep(0.05)
        assert not bus.connected
        assert not woken.is_set()
    await bus.close()


async def connected(bus: Bus) -> None:
    for _ in range(100):
        if bus.connected:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the bus did not connect")


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: object) -> Blobs:
    """The store over a local folder, and over an in-memory object store."""
    return Blobs(f"file://{tmp_path}" if request.param == "file" else "memory://blobs")


async def test_a_blob_is_stored_unchanged(blobs: Blobs) -> None:
    """A stored blob has the same bytes, and reports size and SHA-256."""
    stored = await blobs.put(io.BytesIO(b"abc"))
    assert stored.size == 3
    assert stored.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with blobs.local(stored.key) as path:
        assert path.read_bytes() == b"abc"


async def test_a_deleted_blob_is_gone(blobs: Blobs) -> None:
    """A second delete, and a delete of None or an empty key, do nothing."""
    kept, gone = await blobs.put(io.BytesIO(b"1")), await blobs.put(io.BytesIO(b"2"))
    for key in (gone.key, gone.key, None, ""):
        await blobs.delete(key)
    assert not await blobs.exists(gone.key)
    assert await blobs.exists(kept.key)


async def test_blobs_are_listed_by_age(blobs: Blobs) -> None:
    """A new blob is in the list for age 0 and not in the list for one hour."""
    kept = await blobs.put(io.BytesIO(b"1"))
    assert kept.key in await blobs.older_than(0)
    assert kept.key not in await blobs.older_than(3600)


def test_the_migrations_match_the_tables_in_code(database_url: str) -> None:
    """The migrated schema equals the tables in code."""
    assert schema.differences(database_url) == []


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    """A second migration leaves the schema unchanged."""
    schema.migrate(database_url)
    assert schema.differences(database_url) == []


async def test_errors_of_the_database_name_no_values(database: Database) -> None:
    """They are logged, and the values of a statement are names and transcripts."""
    with pytest.raises(DataError) as raised:
        async with database.transaction() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT 1 / 0, CAST(:name AS text)"), {"name": "Carol Candidate"})
    assert "Carol" not in str(raised.value)
