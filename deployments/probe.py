"""A self-test at every start: what Serve needs to bring back a deployment from zero, without any model.

With its default intervals Serve 2.60 reports stale zeros after a few idle seconds and takes 9 to 14 s. The intervals
in serve_config.yaml bring that to 2 or 3. Whether they still do is measured here: an upgrade cannot undo it unseen.
"""

import asyncio
import logging

from ray import serve

from deployments.handles import Handle, answer_s
from serve_app.model_pool import registry
from serve_app.model_pool.health import COLD_START_LIMIT_S
from serve_app.model_pool.models import ModelLoad
from serve_app.storage.database import Database

IDLE_S = 15.0
"""Long enough for the stale zeros to gather and for the probe to return to zero after a try."""
TRIES = 3
"""The best counts: a busy machine slows one start, a lost setting slows all."""
log = logging.getLogger(__name__)


@serve.deployment(name="Probe")
class Probe:
    """Does nothing, from zero."""

    async def answer(self) -> None:
        """Return."""


async def measure_cold_start(probe: Handle, database: Database) -> None:
    """Measure once, keep the result where the status page finds it. Never raises."""
    try:
        await _measure(probe, database)
    except Exception as error:  # noqa: BLE001 — Ray's and the database's errors; the status page shows no measurement
        log.warning("the cold start was not measured: %s", error)


async def _measure(probe: Handle, database: Database) -> None:
    seconds = float("inf")
    for _ in range(TRIES):
        await asyncio.sleep(IDLE_S)
        seconds = min(seconds, await answer_s(probe))
        if seconds <= COLD_START_LIMIT_S:
            break
    log.info("cold start of an empty deployment: %.1f s", seconds)
    load = ModelLoad(role="probe", name=registry.COLD_START, device="cpu", seconds=seconds, bytes=0)
    async with database.transaction() as session:
        await registry.record_load(session, load)
