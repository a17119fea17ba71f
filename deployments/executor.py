"""The Executor deployment: `serve_app.executor` in a replica."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from ray import serve

from deployments.handles import Handle, HandlePool
from deployments.lease_owners import Owners
from deployments.replica.prestart import PrestartSpec, prestart_workers
from deployments.serve_status import StartRecorder, watch_forever
from serve_app.downloader import Downloader
from serve_app.executor import Executor as JobExecutor
from serve_app.jobs.dispatch import NoDispatcher
from serve_app.model_pool.status import RosterEntry
from serve_app.pipeline.types import ROLES
from serve_app.services import build_services
from serve_app.settings import Settings
from serve_app.storage.download import download_client
from serve_app.sweeper import Sweeper
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.sending import LEASE_S, Sender


class Placement(NamedTuple):
    """See `HandlePool`."""

    deadline_s: float
    asr_replicas: int


@serve.deployment(name="Executor")
class Executor:
    """Runs jobs through the pipeline, sweeps for stranded ones, fetches recordings, and delivers webhooks."""

    def __init__(
        self,
        models: list[Handle],
        roster: list[RosterEntry],
        placement: Placement,
        prestart: Sequence[PrestartSpec],
    ) -> None:
        services = build_services(Settings(), NoDispatcher(), roster)
        by_role = dict(zip(ROLES, models, strict=True))
        pool = HandlePool(by_role, *placement, on_start=StartRecorder(services.database, roster))
        owners = Owners()
        self._jobs = JobExecutor(services, pool, owners.own)
        self._sweep = asyncio.create_task(Sweeper(services, self._jobs.run_next, owners).run_forever())
        deliverer = Deliverer(services.database, services.bus, Sender.of(services.settings), LEASE_S)
        self._deliver = asyncio.create_task(deliverer.run_forever())
        client = download_client(allow_loopback=services.settings.source_allow_loopback)
        downloader = Downloader(services, client, self._jobs.run_next, owners.own)
        self._download = asyncio.create_task(downloader.run_forever())
        self._watch = asyncio.create_task(watch_forever(services.database))
        self._prestart = asyncio.create_task(prestart_workers(prestart))

    async def run_next(self) -> bool:
        """Run the next job in scheduling order. A caller that disconnects does not stop it."""
        return await asyncio.shield(asyncio.create_task(self._jobs.run_next()))

    async def prefetch(self) -> None:
        """Load the models that a job being uploaded will need."""
        await self._jobs.prefetch()
