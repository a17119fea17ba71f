"""The memory ledger's rows: who holds what on one device. Deciding is left to who holds the lock."""

import os
from datetime import datetime

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica
from serve_app.storage.database import wake_after_commit

FORGOTTEN_AFTER_S = 120
"""A row of a living process id that was silent for this long belongs to an earlier process of that number."""
RECENT_LOADS = 20


def replica_topic(replica_id: str) -> str:
    """Wakes one replica."""
    return f"replica:{replica_id}"


def room_topic(place: str) -> str:
    """Wakes those who wait for memory on a device."""
    return f"room:{place}"


async def lock(session: AsyncSession, place: str) -> None:
    """Take a device's ledger until the transaction ends: two loads cannot both be given the last room."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(place, 0))))


async def others(session: AsyncSession, place: str, replica_id: str) -> list[ModelReplica]:
    """The other replicas on a device whose process lives.

    The caller runs on the device's own node, so it asks the system: a process that was killed has given its memory
    back at once, and one whose heartbeat is late because it imports a library has not.
    """
    lately = col(ModelReplica.heartbeat_at) > func.now() - text(f"interval '{FORGOTTEN_AFTER_S} seconds'")
    rows = select(ModelReplica).where(
        col(ModelReplica.place) == place, col(ModelReplica.replica_id) != replica_id, lately
    )
    return [row for row in (await session.exec(rows)).all() if _alive(row.pid)]


async def ask_to_leave(session: AsyncSession, replica_ids: tuple[str, ...]) -> None:
    """Ask idle replicas to unload; they do, unless work has reached them first."""
    asked = update(ModelReplica).where(col(ModelReplica.replica_id).in_(replica_ids))
    await session.exec(asked.values(evict_requested_at=func.now()))
    for replica_id in replica_ids:
        wake_after_commit(session, replica_topic(replica_id))


async def stay(session: AsyncSession, replica_id: str) -> None:
    """The request to leave is answered: it was carried out, or came to a replica at work."""
    answered = update(ModelReplica).where(col(ModelReplica.replica_id) == replica_id)
    await session.exec(answered.values(evict_requested_at=None))


async def measured(session: AsyncSession, device: ModelDevice) -> None:
    """Keep what a replica measured of its device."""
    values = device.model_dump(exclude={"measured_at"})
    changed = {**values, "measured_at": func.now()}
    await session.exec(
        insert(ModelDevice).values(**values).on_conflict_do_update(index_elements=["place"], set_=changed)
    )


async def measured_footprint(session: AsyncSession, name: str) -> int | None:
    """The most memory any of a model's latest loads took; None before the first."""
    latest = select(ModelLoad.footprint_mib).where(col(ModelLoad.name) == name).order_by(col(ModelLoad.at).desc())
    rows = (await session.exec(latest.limit(RECENT_LOADS))).all()
    return max((footprint for footprint in rows if footprint), default=None)


def idle_since(row: ModelReplica) -> datetime:
    """When a replica's weights were last needed, or brought."""
    return max(moment for moment in (row.last_used_at, row.loaded_at, row.started_at) if moment)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
