"""Writes what replicas and Serve report: states, loads, process starts, devices, deployments."""

from collections.abc import Sequence

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.model_pool.models import ModelDevice, ModelLoad, ModelReplica, ModelState, ProcessStart, ServeDeployment

FORGET_AFTER_S = 3600
"""Rows of replicas without a heartbeat for this long are deleted, except each model's last used one."""


async def upsert_replica(session: AsyncSession, replica: ModelReplica) -> bool:
    """Write a replica's state and renew its heartbeat. Returns whether its eviction was requested."""
    values = replica.model_dump(exclude={"started_at", "heartbeat_at", "evict_requested_at"})
    written = (
        insert(ModelReplica)
        .values(**values)
        .on_conflict_do_update(index_elements=["replica_id"], set_={**values, "heartbeat_at": func.now()})
        .returning(col(ModelReplica.evict_requested_at))
    )
    return (await session.exec(written)).one()[0] is not None


async def retire_replica(session: AsyncSession, replica_id: str) -> None:
    """Write that a replica shuts down, and delete old rows (`FORGET_AFTER_S`) but each model's last used one.

    That row tells the status when the model was last used.
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


async def record_start(session: AsyncSession, start: ProcessStart) -> None:
    """Keep a process start that a call waited for."""
    session.add(start)
    await session.flush()


async def upsert_device(session: AsyncSession, device: ModelDevice) -> None:
    """Write a replica's measurement of its device."""
    values = device.model_dump(exclude={"measured_at"})
    changed = {**values, "measured_at": func.now()}
    await session.exec(
        insert(ModelDevice).values(**values).on_conflict_do_update(index_elements=["device_id"], set_=changed)
    )


async def upsert_deployments(session: AsyncSession, deployments: Sequence[ServeDeployment]) -> None:
    """Write the deployments as Serve's controller reports them. Keeps `starting_since` while replicas start."""
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
