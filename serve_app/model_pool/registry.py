"""Write and read what replicas report. Reading never wakes a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.jobs.models import Job, JobState
from serve_app.model_pool import health
from serve_app.model_pool.admission import RECENT_LOADS
from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState, ServeDeployment

COLD_START = "serve-cold-start"
"""Name under which the self-test keeps its measurements among the loads."""
SILENT_AFTER_S = 5
"""A replica that has not reported for this long is gone; replicas report every second."""
FORGET_AFTER_S = 3600


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A model the deployment is configured with, whether or not a process holds it."""

    role: str
    name: str
    footprint_mib: int


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
    """Measured at the last load; before the first, what the profile expects."""
    device: str | None = None
    replicas: int = 0
    in_flight: int = 0
    load_s_p50: float | None = None
    load_s_p95: float | None = None
    load_bytes_per_s: float | None = None
    """Of the last load."""
    last_used_at: datetime | None = None
    instances: list[ReplicaStatus] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One memory that models share, as it was measured last."""

    device: str
    total_mib: int
    free_mib: int
    budget_mib: int
    """What models may take of it."""
    held_mib: int
    """What they take now."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What `/v1/models/status` shows."""

    models: list[ModelStatus]
    devices: list[DeviceStatus] = field(default_factory=list)
    queue_depths: dict[str, int] = field(default_factory=dict)
    """Jobs waiting for an executor by product, and calls waiting for a model by role; what is empty is left out."""
    degraded: bool = False
    reason: str | None = None
    cold_start_s: float | None = None
    """What Serve needed to bring back a process at the last start's self-test, without a model."""


async def report(session: AsyncSession, replica: ModelReplica) -> bool:
    """Write a replica's state, now being the heartbeat. True when it was asked to leave."""
    values = replica.model_dump(exclude={"started_at", "heartbeat_at", "evict_requested_at"})
    written = (
        insert(ModelReplica)
        .values(**values)
        .on_conflict_do_update(index_elements=["replica_id"], set_={**values, "heartbeat_at": func.now()})
        .returning(col(ModelReplica.evict_requested_at))
    )
    return (await session.exec(written)).one()[0] is not None


async def retire(session: AsyncSession, replica_id: str) -> None:
    """Count a replica that is shutting down among the silent, and forget those of long ago.

    The row of a model's latest use stays: the pool's status says when that was, whoever holds the weights now.
    """
    long_ago = func.now() - text(f"interval '{FORGET_AFTER_S} seconds'")
    leaving = update(ModelReplica).where(col(ModelReplica.replica_id) == replica_id)
    await session.exec(leaving.values(heartbeat_at=long_ago, state=ModelState.COLD, held_mib=0, in_flight=0, waiting=0))
    latest = (
        select(ModelReplica.replica_id)
        .where(col(ModelReplica.last_used_at).is_not(None))
        .ext(distinct_on(col(ModelReplica.name)))
        .order_by(col(ModelReplica.name), col(ModelReplica.last_used_at).desc())
    )
    silent = col(ModelReplica.heartbeat_at) <= long_ago
    await session.exec(delete(ModelReplica).where(silent, col(ModelReplica.replica_id).not_in(latest)))


async def record_load(session: AsyncSession, load: ModelLoad) -> None:
    """Keep a finished load for the statistics."""
    session.add(load)
    await session.flush()


async def usual_load_s(session: AsyncSession, name: str) -> float | None:
    """p50 of the seconds the latest loads of a model took."""
    loads = await _loads(session, [name])
    return loads[name].p50 if name in loads else None


async def watched(session: AsyncSession, deployments: Sequence[ServeDeployment]) -> None:
    """Keep what Serve's controller said of its deployments; `starting_since` goes on counting while some start."""
    for deployment in deployments:
        values = deployment.model_dump(exclude={"polled_at", "starting_since"})
        since = func.coalesce(col(ServeDeployment.starting_since), func.now()) if deployment.starting else None
        await session.exec(
            insert(ServeDeployment)
            .values(**values, starting_since=func.now() if deployment.starting else None)
            .on_conflict_do_update(
                index_elements=["name"], set_={**values, "polled_at": func.now(), "starting_since": since}
            )
        )


async def status(session: AsyncSession, roster: list[RosterEntry]) -> PoolStatus:
    """The pool as of now, from rows alone: six short queries."""
    live: Any = col(ModelReplica.heartbeat_at) > func.now() - text(f"interval '{SILENT_AFTER_S} seconds'")
    reported = (await session.exec(select(ModelReplica, live))).all()
    replicas = [replica for replica, lives in reported if lives]
    used = _last_used(replica for replica, _ in reported)
    loads = await _loads(session, [*(entry.name for entry in roster), COLD_START])
    devices = (await session.exec(select(ModelDevice).order_by(col(ModelDevice.place)))).all()
    deployments = (await session.exec(select(ServeDeployment))).all()
    now = (await session.exec(select(func.now()))).one()
    cold_start_s = loads[COLD_START].seconds if COLD_START in loads else None
    reasons = health.reasons(now, deployments, replicas, cold_start_s)
    return PoolStatus(
        models=[_model_status(entry, replicas, loads.get(entry.name), used.get(entry.name)) for entry in roster],
        devices=[_device_status(device, replicas) for device in devices],
        queue_depths=await _queued_jobs(session) | _waiting_calls(replicas),
        degraded=bool(reasons),
        reason="; ".join(reasons) or None,
        cold_start_s=cold_start_s,
    )


def _last_used(reported: Iterable[ModelReplica]) -> dict[str, datetime]:
    """When each model worked last, in whatever process."""
    used: dict[str, datetime] = {}
    for replica in reported:
        if replica.last_used_at:
            used[replica.name] = max(replica.last_used_at, used.get(replica.name, replica.last_used_at))
    return used


def _model_status(
    entry: RosterEntry, all_replicas: Sequence[ModelReplica], loads: Any | None, last_used_at: datetime | None
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
    held = sum(replica.held_mib for replica in replicas if replica.place == row.place)
    return DeviceStatus(row.device, row.total_mib, row.free_mib, row.budget_mib, held)


async def _loads(session: AsyncSession, names: list[str]) -> dict[str, Row[Any]]:
    """Statistics of the latest loads by model: p50, p95, and the last one's seconds, bytes and footprint."""
    newest_first = func.row_number().over(partition_by=col(ModelLoad.name), order_by=col(ModelLoad.at).desc())
    numbered = select(ModelLoad, newest_first.label("nth")).where(col(ModelLoad.name).in_(names)).subquery()
    load = numbered.c
    p50, p95 = (func.percentile_cont(share).within_group(load.seconds) for share in (0.5, 0.95))
    last = [func.max(column).filter(load.nth == 1) for column in (load.seconds, load.bytes, load.footprint_mib)]
    labels = ("p50", "p95", "seconds", "bytes", "footprint_mib")
    columns: Any = [value.label(label) for label, value in zip(labels, (p50, p95, *last), strict=True)]
    statistics: Any = select(load.name, *columns).where(load.nth <= RECENT_LOADS).group_by(load.name)
    return {row[0]: row for row in (await session.exec(statistics)).all()}


async def _queued_jobs(session: AsyncSession) -> dict[str, int]:
    waiting: Any = (
        select(Job.vertical, func.count()).where(col(Job.state) == JobState.QUEUED).group_by(col(Job.vertical))
    )
    return {vertical: int(count) for vertical, count in (await session.exec(waiting)).all()}


def _waiting_calls(replicas: Sequence[ModelReplica]) -> dict[str, int]:
    roles = {replica.role for replica in replicas if replica.waiting}
    return {role: sum(replica.waiting for replica in replicas if replica.role == role) for role in roles}
