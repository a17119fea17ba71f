"""Reads of the pool: the public status, cached, and a model's load history. Reading never loads a model."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.model_pool import health
from serve_app.model_pool.history import ColdStarts, cold_starts
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState, ProcessStart, ServeDeployment
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus

RECENT = 20
"""Statistics of a model cover this many of its latest loads and process starts."""
SILENT_AFTER_S = 5
"""Replicas report every second. One that has not reported for this long is counted as gone."""
CACHE_S = 0.5
HISTORY_CACHE_S = 10.0
QueueDepths: TypeAlias = Callable[[AsyncSession], Awaitable[Mapping[str, int]]]
"""Reads the number of queued jobs by product."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A model that the deployment is configured with, whether or not a process holds it."""

    role: str
    name: str
    footprint_mib: int
    languages: tuple[str, ...] = ()
    """Of the ASR model: ISO 639 codes that it transcribes; empty where they are not known."""


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """Statistics of a model's latest loads; None before the first."""

    seconds: float | None = None
    """Median duration."""
    footprint_mib: int | None = None
    """Largest footprint."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One process that can hold a model's weights."""

    state: ModelState
    device: str
    in_flight: int
    footprint_mib: int | None
    bytes_loaded: int
    bytes_total: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Public state of one role: that of its warmest replica."""

    role: str
    name: str
    state: ModelState
    footprint_mib: int
    """Measured at the last load; before the first, the profile's estimate."""
    device: str | None = None
    replicas: int = 0
    in_flight: int = 0
    start_s_p50: float | None = None
    """Seconds from a call until the process that Serve started for it took the call."""
    start_s_p95: float | None = None
    load_s_p50: float | None = None
    """Load of the weights, after the process start."""
    load_s_p95: float | None = None
    load_bytes_per_s: float | None = None
    """Of the last load."""
    last_used_at: datetime | None = None
    instances: list[ReplicaStatus] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device whose memory models share, as last measured."""

    device: str
    total_mib: int
    free_mib: int
    budget_mib: int
    """What models may hold of it together."""
    held_mib: int
    """What models hold now."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The response of `/v1/models/status`."""

    models: list[ModelStatus]
    devices: list[DeviceStatus] = field(default_factory=list)
    queue_depths: dict[str, int] = field(default_factory=dict)
    """Queued jobs by product, and calls waiting for a model by role. Leaves out zeros."""
    degraded: bool = False
    reason: str | None = None


class PoolView:
    """Caches the status for half a second, and the last day for ten: they need no key, so anybody may poll them."""

    def __init__(
        self, database: Database, roster: list[RosterEntry], queue_depths: QueueDepths | None = None,
        bus: Bus | None = None,
    ) -> None:  # fmt: skip
        self._database = database
        self._bus = bus
        self._roster = roster
        self._queue_depths = queue_depths
        self._reading = asyncio.Lock()
        self._cached: PoolStatus | None = None
        self._read_at = 0.0
        self._history: list[ColdStarts] = []
        self._history_read_at = -HISTORY_CACHE_S

    async def cold_starts(self) -> list[ColdStarts]:
        """The cold starts of the last 24 hours, as they were at most ten seconds ago."""
        async with self._reading:
            if time.monotonic() - self._history_read_at > HISTORY_CACHE_S:
                async with self._database.transaction() as session:
                    self._history = await cold_starts(session, [entry.name for entry in self._roster])
                self._history_read_at = time.monotonic()
            return self._history

    async def status(self) -> PoolStatus:
        """The pool as it was at most half a second ago."""
        async with self._reading:
            if self._cached is None or time.monotonic() - self._read_at > CACHE_S:
                async with self._database.transaction() as session:
                    queued = await self._queue_depths(session) if self._queue_depths else {}
                    status = await get_status(session, self._roster, queued)
                self._cached = await self._with_bus(status)
                self._read_at = time.monotonic()
            return self._cached

    async def _with_bus(self, status: PoolStatus) -> PoolStatus:
        if self._bus is None or await self._bus.answers():
            return status
        reasons = [status.reason, health.WITHOUT_REDIS] if status.reason else [health.WITHOUT_REDIS]
        return replace(status, degraded=True, reason="; ".join(filter(None, reasons)))


async def get_status(
    session: AsyncSession, roster: Sequence[RosterEntry], queue_depths: Mapping[str, int] | None = None
) -> PoolStatus:
    """The pool as of now, from rows alone. `queue_depths` are the queued jobs by product."""
    live: Any = col(ModelReplica.heartbeat_at) > func.now() - text(f"interval '{SILENT_AFTER_S} seconds'")
    reported = (await session.exec(select(ModelReplica, live))).all()
    replicas = [replica for replica, lives in reported if lives]
    used = _last_used(replica for replica, _ in reported)
    names = [entry.name for entry in roster]
    loads, starts = await _load_statistics(session, names), await _start_statistics(session, names)
    devices = (await session.exec(select(ModelDevice).order_by(col(ModelDevice.device_id)))).all()
    deployments = (await session.exec(select(ServeDeployment))).all()
    now = (await session.exec(select(func.now()))).one()
    reasons = health.reasons(now, deployments, replicas)
    return PoolStatus(
        models=[
            _model_status(entry, replicas, loads.get(entry.name), starts.get(entry.name), used.get(entry.name))
            for entry in roster
        ],
        devices=[_device_status(device, replicas) for device in devices],
        queue_depths=dict(queue_depths or {}) | _waiting_calls(replicas),
        degraded=bool(reasons),
        reason="; ".join(reasons) or None,
    )


async def load_history(session: AsyncSession, name: str) -> LoadHistory:
    """Statistics of a model's latest loads."""
    latest = select(ModelLoad.footprint_mib).where(col(ModelLoad.name) == name).order_by(col(ModelLoad.at).desc())
    footprints = (await session.exec(latest.limit(RECENT))).all()
    loads = await _load_statistics(session, [name])
    return LoadHistory(loads[name].p50 if name in loads else None, max(filter(None, footprints), default=None))


def _last_used(reported: Iterable[ModelReplica]) -> dict[str, datetime]:
    """When each model was last used, by any process."""
    used: dict[str, datetime] = {}
    for replica in reported:
        if replica.last_used_at:
            used[replica.name] = max(replica.last_used_at, used.get(replica.name, replica.last_used_at))
    return used


def _model_status(
    entry: RosterEntry,
    all_replicas: Sequence[ModelReplica],
    loads: Any | None,
    starts: Any | None,
    last_used_at: datetime | None,
) -> ModelStatus:
    replicas = sorted(
        (replica for replica in all_replicas if (replica.role, replica.name) == (entry.role, entry.name)),
        key=lambda replica: RANK[replica.state],
        reverse=True,
    )
    best = replicas[0] if replicas else None
    measured = (best and best.footprint_mib) or (loads and loads.footprint_mib)
    return ModelStatus(
        role=entry.role,
        name=entry.name,
        state=best.state if best else ModelState.COLD,
        footprint_mib=measured or entry.footprint_mib,
        device=best.device if best else None,
        replicas=len(replicas),
        in_flight=sum(replica.in_flight for replica in replicas),
        start_s_p50=starts.p50 if starts else None,
        start_s_p95=starts.p95 if starts else None,
        load_s_p50=loads.p50 if loads else None,
        load_s_p95=loads.p95 if loads else None,
        load_bytes_per_s=loads.bytes / loads.seconds if loads and loads.seconds else None,
        last_used_at=last_used_at,
        instances=[_replica_status(replica) for replica in replicas],
    )


RANK = {ModelState.COLD: 0, ModelState.EVICTING: 1, ModelState.LOADING: 2, ModelState.WARM: 3}


def _replica_status(row: ModelReplica) -> ReplicaStatus:
    return ReplicaStatus(
        state=row.state,
        device=row.device,
        in_flight=row.in_flight,
        footprint_mib=row.footprint_mib,
        bytes_loaded=row.bytes_loaded,
        bytes_total=row.bytes_total,
        last_used_at=row.last_used_at,
    )


def _device_status(row: ModelDevice, replicas: Sequence[ModelReplica]) -> DeviceStatus:
    held = sum(replica.held_mib for replica in replicas if replica.device_id == row.device_id)
    return DeviceStatus(row.device, row.total_mib, row.free_mib, row.budget_mib, held)


async def _load_statistics(session: AsyncSession, names: list[str]) -> dict[str, Row[Any]]:
    """By model: `p50` and `p95` of the latest loads, and the last load's `seconds`, `bytes` and `footprint_mib`."""
    return await _statistics(session, ModelLoad, names, ("seconds", "bytes", "footprint_mib"))


async def _start_statistics(session: AsyncSession, names: list[str]) -> dict[str, Row[Any]]:
    """By model: `p50` and `p95` of the latest process starts."""
    return await _statistics(session, ProcessStart, names, ())


async def _statistics(
    session: AsyncSession, table: type[ModelLoad | ProcessStart], names: list[str], of_last: tuple[str, ...]
) -> dict[str, Row[Any]]:
    newest_first = func.row_number().over(partition_by=col(table.name), order_by=col(table.at).desc())
    rows = select(table, newest_first.label("nth")).where(col(table.name).in_(names)).subquery().c
    p50, p95 = (func.percentile_cont(share).within_group(rows.seconds) for share in (0.5, 0.95))
    last = [func.max(rows[column]).filter(rows.nth == 1).label(column) for column in of_last]
    columns: Any = [rows.name, p50.label("p50"), p95.label("p95"), *last]
    query: Any = select(*columns).where(rows.nth <= RECENT).group_by(rows.name)
    return {row[0]: row for row in (await session.exec(query)).all()}


def _waiting_calls(replicas: Sequence[ModelReplica]) -> dict[str, int]:
    roles = {replica.role for replica in replicas if replica.waiting}
    return {role: sum(replica.waiting for replica in replicas if replica.role == role) for role in roles}
