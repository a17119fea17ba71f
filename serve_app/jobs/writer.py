"""A worker's writes to the job that it has claimed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.errors import Unavailable
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import Claim, Note
from serve_app.jobs.models import Job, JobCheckpoint, JobState
from serve_app.storage.database import Database

T = TypeVar("T")
log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[AsyncSession, Claim], Awaitable[T]]
WRITE_AGAIN_S = 0.5
"""Pause before a write to a database that was away is tried again."""


class JobWriter:
    """Writes to the claimed job, one write at a time, with the version of the last one.

    While the database is away a write is tried again until the lease has run out: a connection that was cut must not
    cost the attempt.
    """

    def __init__(self, database: Database, claim: Claim, lease_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._claim = claim
        self._state = JobState.QUEUED
        self._lease_ends_at = time.monotonic() + lease_s
        self._lock = asyncio.Lock()

    @property
    def job(self) -> Job:
        """The job as it was when it was claimed."""
        return self._claim.job

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction, with the claim and so the version to write against.

        Raises what `work` raises, and `Unavailable` once another worker may own the job.
        """
        async with self._lock:
            return await self._write(work)

    async def _write(self, work: Work[T]) -> T:
        while True:
            try:
                async with self._database.transaction() as session:
                    return await work(session, self._claim)
            except Unavailable as outage:
                if time.monotonic() > self._lease_ends_at:
                    raise
                log.warning("job %s: a write is tried again: %s", self.job.id, outage)
                await asyncio.sleep(WRITE_AGAIN_S)

    async def enter(self, state: JobState, note: Note | None = None, *, only_from: JobState | None = None) -> bool:
        """Move the job to `state`. False when it is there already or is not in `only_from`. Raises `LeaseLost`."""
        async with self._lock:
            if self._state is state or (only_from and self._state is not only_from):
                return False
            version = await self._write(
                lambda session, claim: lifecycle.transition(
                    session, self.job.id, state, seen=claim.version, note=note or Note()
                )
            )
            self._claim, self._state = Claim(self.job, version), state
            return True

    async def report(self, note: Note) -> None:
        """Write a progress event, unless the database is away. Raises `LeaseLost`."""
        async with self._lock:
            with suppress(Unavailable):
                async with self._database.transaction() as session:
                    await lifecycle.report(session, self.job.id, self._claim.version, note)

    async def save_checkpoint(self, stage: str, output: object) -> None:
        """Keep a stage's output and renew the lease. Raises `LeaseLost`."""
        values = {
            "job_id": self.job.id,
            "stage": stage,
            "output": TypeAdapter(type(output)).dump_python(output, mode="json"),
        }

        async def work(session: AsyncSession, claim: Claim) -> None:
            await lifecycle.renew_lease(session, self.job.id, claim.version, self._lease_s)
            await session.exec(insert(JobCheckpoint).values(**values).on_conflict_do_nothing())

        await self.write(work)

    async def load_checkpoint(self, stage: str, type_: type[T]) -> T | None:
        """A stage's output from an earlier attempt. None when no attempt finished it."""
        row = await self.write(lambda session, _: session.get(JobCheckpoint, (self.job.id, stage)))
        return None if row is None else TypeAdapter(type_).validate_python(row.output)

    async def while_leased(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` while the lease is renewed. Raises what it raises, and `LeaseLost`, which cancels it."""
        working, renewing = asyncio.create_task(work), asyncio.create_task(self.renew_lease_forever())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                renewing.result()
            return await working
        finally:
            await cancel(working, renewing)

    async def renew_lease_forever(self) -> None:
        """Renew the lease until `LeaseLost` is raised. Notices a cancel within a second."""
        while True:
            await asyncio.sleep(min(1.0, self._lease_s / 3))
            began = time.monotonic()
            await self.write(
                lambda session, claim: lifecycle.renew_lease(session, self.job.id, claim.version, self._lease_s)
            )
            self._lease_ends_at = began + self._lease_s


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
