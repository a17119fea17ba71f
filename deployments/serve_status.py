"""Polls Serve every two seconds and writes the status of its deployments to the database.

Requests read the rows: a question to Serve's controller takes 40 to 60 ms.
"""

import asyncio
import logging
from collections.abc import Sequence

from ray import serve
from ray.serve.schema import DeploymentStatusOverview

from serve_app.model_pool import registry
from serve_app.model_pool.models import ProcessStart, ServeDeployment
from serve_app.model_pool.status import RosterEntry
from serve_app.pipeline.types import ModelRole
from serve_app.storage.database import Database

EVERY_S = 2.0
log = logging.getLogger(__name__)


async def watch_forever(database: Database) -> None:
    """Poll this replica's application. While the controller is away nothing is written and the rows grow stale."""
    application = serve.get_replica_context().app_name
    while True:
        try:
            deployments = await asyncio.to_thread(_deployments, application)
            async with database.transaction() as session:
                await registry.upsert_deployments(session, deployments)
        except Exception as error:  # noqa: BLE001 - Ray's and the database's errors; the status shows that reports are missing
            log.warning("could not read Serve's status: %s", error)
        await asyncio.sleep(EVERY_S)


def _deployments(application: str) -> list[ServeDeployment]:
    overviews = serve.status().applications[application].deployments
    return [_row(f"{application}/{name}", overview) for name, overview in overviews.items()]


def _row(name: str, overview: DeploymentStatusOverview) -> ServeDeployment:
    counts = {str(getattr(state, "value", state)): count for state, count in overview.replica_states.items()}
    return ServeDeployment(
        name=name,
        status=overview.status.value,
        message=overview.message[:500],
        running=counts.get("RUNNING", 0),
        starting=counts.get("STARTING", 0),
    )


class StartRecorder:
    """Records process starts in the background. A failure is logged and costs one row of the statistics."""

    def __init__(self, database: Database, roster: Sequence[RosterEntry]) -> None:
        self._database = database
        self._names = {entry.role: entry.name for entry in roster}
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, role: ModelRole, seconds: float) -> None:
        """Record that a call waited `seconds` for a process of `role`."""
        task = asyncio.create_task(self._record(ProcessStart(role=role, name=self._names[role], seconds=seconds)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record(self, start: ProcessStart) -> None:
        try:
            async with self._database.transaction() as session:
                await registry.record_start(session, start)
        except Exception as error:  # noqa: BLE001 - the database's errors
            log.warning("could not record a process start: %s", error)
