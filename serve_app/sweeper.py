"""Every few seconds: requeue lost jobs, erase expired ones, report queue positions, run jobs without a notification.

Every minute: delete uploads that belong to no job, webhook events of a month ago, and sessions and one-time links that
have expired, and tell owners of keys that end.
Several sweepers may run at once.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from serve_app.accounts import links, sessions
from serve_app.errors import Interrupted
from serve_app.jobs import lifecycle, queries, queue_position, settlement
from serve_app.jobs.lifecycle import Claim, LeaseOwners
from serve_app.services import Services
from serve_app.webhooks import notices, outbox

log = logging.getLogger(__name__)

ORPHAN_AGE_S = 600.0
"""An upload gets its job within a minute of being stored. One without a job after this time was left behind."""
SLOW_SWEEP_S = 60.0
RunNext = Callable[[], Awaitable[bool]]
GetOwners = Callable[[], Awaitable[LeaseOwners | None]]


class Sweeper:
    """Finds the work that no notification announces. `run_next` runs one due job (`Executor.run_next`).

    `owners` tells which workers live; without it, or when it does not know, only the end of a lease tells.
    """

    def __init__(self, services: Services, run_next: RunNext, owners: GetOwners | None = None) -> None:
        self._services = services
        self._run_next = run_next
        self._owners = owners
        self._running: set[asyncio.Future[bool]] = set()

    async def run_forever(self) -> None:
        """Sweep at once, and then every `sweep_s` seconds. A sweep that fails is logged; the next one tries again."""
        swept_slowly_at = 0.0
        while True:
            try:
                self._run_due(await self.sweep())
                if time.monotonic() - swept_slowly_at > SLOW_SWEEP_S:
                    await self.delete_orphaned_blobs()
                    async with self._services.database.transaction() as session:
                        await outbox.delete_old(session)
                        await notices.tell_expiring_keys(session)
                        await sessions.delete_expired(session)
                        await links.delete_expired(session)
                    swept_slowly_at = time.monotonic()
            except Exception:
                log.exception("sweep failed; the next one tries again")
            await asyncio.sleep(self._services.settings.sweep_s)

    async def sweep(self) -> list[str]:
        """Sweep once. Returns the due jobs, at most `jobs_per_executor`."""
        database, settings = self._services.database, self._services.settings
        if self._owners and (owners := await self._owners()):
            async with database.transaction() as session:
                await lifecycle.end_leases(session, owners)
        async with database.transaction() as session:
            for job in await lifecycle.expired_leases(session):
                await settlement.requeue_or_fail(session, Claim(job, job.version), settings, Interrupted())
        await self._erase_expired()
        async with database.transaction() as session:
            await queue_position.report_changes(session)
        async with database.transaction() as session:
            return list(await lifecycle.due_jobs(session, limit=settings.jobs_per_executor))

    async def delete_orphaned_blobs(self) -> None:
        """Delete uploads that a crash left without a job: between storing and accepting, or settling and deleting."""
        old = await self._services.blobs.older_than(ORPHAN_AGE_S)
        async with self._services.database.transaction() as session:
            orphans = await queries.blobs_without_job(session, old) if old else set()
        for blob in orphans:
            await self._services.blobs.delete(blob)

    async def _erase_expired(self) -> None:
        async with self._services.database.transaction() as session:
            blobs = await settlement.erase_expired(session)
        for blob in blobs:
            await self._services.blobs.delete(blob)

    def _run_due(self, due: list[str]) -> None:
        free = max(0, self._services.settings.jobs_per_executor - len(self._running))
        for _ in due[:free]:
            task = asyncio.ensure_future(self._run_next())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
