"""A look at Serve's controller every two seconds, kept as rows.

Requests read the rows and never ask the controller: one question costs it 40 to 60 ms.
"""

import asyncio
import logging

from ray import serve
from ray.serve.schema import DeploymentStatusOverview

from serve_app.model_pool import registry
from serve_app.model_pool.models import ServeDeployment
from serve_app.storage.database import Database

EVERY_S = 2.0
log = logging.getLogger(__name__)


async def watch_forever(database: Database) -> None:
    """Poll this replica's application. While the controller is away nothing is written, and the rows grow stale."""
    application = serve.get_replica_context().app_name
    while True:
        try:
            deployments = await asyncio.to_thread(_deployments, application)
            async with database.transaction() as session:
                await registry.watched(session, deployments)
        except Exception as error:  # noqa: BLE001 - Ray's and the database's errors; the status page shows the silence
            log.warning("could not look at Serve: %s", error)
        await asyncio.sleep(EVERY_S)


def _deployments(application: str) -> list[ServeDeployment]:
    found = serve.status().applications[application].deployments
    return [_row(f"{application}/{name}", overview) for name, overview in found.items()]


def _row(name: str, overview: DeploymentStatusOverview) -> ServeDeployment:
    counts = {str(getattr(state, "value", state)): count for state, count in overview.replica_states.items()}
    return ServeDeployment(
        name=name,
        status=overview.status.value,
        message=overview.message[:500],
        running=counts.get("RUNNING", 0),
        starting=counts.get("STARTING", 0),
    )
