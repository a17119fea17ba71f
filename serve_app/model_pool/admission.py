"""Memory admission: which replica may load onto a device, and which idle replicas must unload for it.

`decide` is pure. `claim` takes the device's lock, decides on the rows of its replicas, and writes the decision down.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.model_pool import registry
from serve_app.model_pool.models import ModelReplica, ModelState
from serve_app.storage.database import wake_after_commit

FORGOTTEN_AFTER_S = 120
"""A row this long without a heartbeat belongs to an earlier process, even if its process id exists again."""


# The decision --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """Memory that a replica needs for a load, and the state of the device. All values in MiB."""

    total_mib: int
    """What the process will hold once loaded."""
    held_mib: int
    """What it holds already, e.g. a CUDA context."""
    budget_mib: int
    """What all models together may hold on the device."""
    free_mib: int
    """Free as the device reports it, so processes outside the pool count as well."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What another replica holds on the device. Values in MiB."""

    replica_id: str
    held_mib: int
    release_mib: int
    """What it would free by unloading."""
    idle_since: datetime | None
    """None while it works, loads, or holds no weights: then it cannot be evicted."""
    leaving: bool = False
    """Its eviction was requested and is not finished yet."""


@dataclass(frozen=True, slots=True)
class Load:
    """There is room: load now."""


@dataclass(frozen=True, slots=True)
class Evict:
    """There will be room once these replicas have unloaded. Empty when evictions under way suffice."""

    replica_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """There is no room, and evicting all idle replicas would not make enough."""

    short_mib: int


@dataclass(frozen=True, slots=True)
class TooBig:
    """The load exceeds the budget of the whole device."""


Verdict: TypeAlias = Load | Evict | Wait | TooBig


def decide(request: MemoryRequest, others: Sequence[Holding], *, may_evict: bool) -> Verdict:
    """Whether a load may begin. Evicts the least recently used idle replicas, and no more of them than needed."""
    if request.total_mib > request.budget_mib:
        return TooBig()
    within_budget = request.budget_mib - sum(other.held_mib for other in others)
    short_mib = request.total_mib - min(within_budget, request.free_mib + request.held_mib)
    if short_mib <= 0:
        return Load()
    if not may_evict:
        return Wait(short_mib)
    still_short_mib = short_mib - sum(other.release_mib for other in others if other.leaving)
    victims = _least_recently_used(still_short_mib, others)
    return Wait(short_mib) if victims is None else Evict(victims)


def _least_recently_used(short_mib: int, others: Sequence[Holding]) -> tuple[str, ...] | None:
    """Replicas to evict to free `short_mib`; None when all idle replicas together do not suffice."""
    idle = [other for other in others if other.idle_since and not other.leaving]
    idle.sort(key=lambda other: (other.idle_since, other.replica_id))
    chosen: list[Holding] = []
    while sum(other.release_mib for other in chosen) < short_mib:
        if not idle:
            return None
        chosen.append(idle.pop(0))
    for candidate in reversed(chosen[:]):  # the last one may free so much that an earlier one can stay
        rest = [other for other in chosen if other is not candidate]
        if sum(other.release_mib for other in rest) >= short_mib:
            chosen = rest
    return tuple(other.replica_id for other in chosen)


# The claim -----------------------------------------------------------------------------------------------------------


async def claim(session: AsyncSession, row: ModelReplica, request: MemoryRequest, *, may_evict: bool) -> Verdict:
    """Decide on a load onto `row.device_id`. `Load` and `Evict` reserve the memory in the replica's row.

    Holds the device's lock until the transaction ends, so two replicas cannot both reserve the last free memory.
    """
    await _lock(session, row.device_id)
    holdings = [_holding(other) for other in await _others(session, row.device_id, row.replica_id)]
    verdict = decide(request, holdings, may_evict=may_evict)
    row.held_mib = request.total_mib if isinstance(verdict, Load | Evict) else request.held_mib
    await registry.upsert_replica(session, row)
    if isinstance(verdict, Evict):
        await request_eviction(session, verdict.replica_ids)
    return verdict


async def request_eviction(session: AsyncSession, replica_ids: tuple[str, ...]) -> None:
    """Ask idle replicas to unload. A replica that has received work in the meantime declines."""
    rows = update(ModelReplica).where(col(ModelReplica.replica_id).in_(replica_ids))
    await session.exec(rows.values(evict_requested_at=func.now()))
    for replica_id in replica_ids:
        wake_after_commit(session, replica_topic(replica_id))


async def clear_eviction(session: AsyncSession, replica_id: str) -> None:
    """Remove a replica's eviction request after it has unloaded or declined."""
    row = update(ModelReplica).where(col(ModelReplica.replica_id) == replica_id)
    await session.exec(row.values(evict_requested_at=None))


def replica_topic(replica_id: str) -> str:
    """Bus topic that wakes one replica."""
    return f"replica:{replica_id}"


def memory_topic(device_id: str) -> str:
    """Bus topic that wakes replicas waiting for memory on a device."""
    return f"memory:{device_id}"


async def _lock(session: AsyncSession, device_id: str) -> None:
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(device_id, 0))))


async def _others(session: AsyncSession, device_id: str, replica_id: str) -> list[ModelReplica]:
    """Rows of the other live replicas on a device.

    The caller runs on the device's node, so it asks the operating system which processes live. A killed process has
    freed its memory at once; a process whose heartbeat is late because it imports a library has not.
    """
    lately = col(ModelReplica.heartbeat_at) > func.now() - text(f"interval '{FORGOTTEN_AFTER_S} seconds'")
    rows = select(ModelReplica).where(
        col(ModelReplica.device_id) == device_id, col(ModelReplica.replica_id) != replica_id, lately
    )
    return [row for row in (await session.exec(rows)).all() if _is_alive(row.pid)]


def _holding(row: ModelReplica) -> Holding:
    idle = row.state is ModelState.WARM and row.in_flight == 0
    leaving = row.state is ModelState.EVICTING or (idle and row.evict_requested_at is not None)
    release_mib = max(0, row.held_mib - row.residual_mib)
    return Holding(row.replica_id, row.held_mib, release_mib, _idle_since(row) if idle else None, leaving)


def _idle_since(row: ModelReplica) -> datetime:
    """When a replica's weights were last used, or loaded."""
    return max(moment for moment in (row.last_used_at, row.loaded_at, row.started_at) if moment)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
