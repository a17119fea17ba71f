"""Run jobs: claim one, take it through the pipeline, settle it. And look after those that others dropped.

All a worker writes goes through `jobs.lifecycle` with the version it knows. When the job has moved on without it
(canceled, or taken over after silence), the next write raises `LeaseLost`, the work is stopped and nothing is settled.
"""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.credits.models import EntryKind
from serve_app.errors import InferenceFailed, Interrupted, Invalid, JobFailure, LeaseLost, RecruitScreenError
from serve_app.jobs import duration_estimate, lifecycle, queue_position
from serve_app.jobs import queries as jobs
from serve_app.jobs.lifecycle import Claim, Note
from serve_app.jobs.models import Job, JobCheckpoint, JobState, price_of
from serve_app.pipeline import interview as pipeline
from serve_app.pipeline.interview import Interview
from serve_app.pipeline.ports import Loading, ModelPool
from serve_app.pipeline.types import ROLES, ModelRole
from serve_app.services import Services
from serve_app.settings import Settings

T = TypeVar("T")
log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 1.0
ORPHANED_AFTER_S = 3600.0
"""An upload is a job's within a minute of being stored; one that is nobody's for an hour was left by a crash."""
SHARES: dict[ModelRole, float] = {"asr": 0.45, "diarizer": 0.35, "assessor": 0.20}
"""How much of the bar each model fills."""
MIB = 1 << 20


class Executor:
    """Runs up to `jobs_per_executor` jobs at once over one model pool."""

    def __init__(self, services: Services, pool: ModelPool, name: str = "") -> None:
        self.services = services
        self.pool = pool
        self.name = name or socket.gethostname()
        self._room = asyncio.Semaphore(services.settings.jobs_per_executor)

    async def run(self, job_id: str) -> bool:  # noqa: ARG002 — who called shows in Ray's and in the log's names
        """Run the job whose turn it is. True when this call settled one or gave it back, False when none is due.

        `job_id` is the job that the call was made for. It brings one more job, not a place in the line: otherwise the
        account that sends a thousand recordings would be served a thousand times before the next.
        """
        async with self._room:
            claim = await self._claim()
            if claim is None:
                return False
            run = _Run(self.services, self.pool, claim)
            with suppress(LeaseLost):
                await (run.to_the_end() if claim.job.attempt <= self.services.settings.max_attempts else run.give_up())
            return True

    async def prefetch(self) -> None:
        """Warm all models into free room, ahead of a job."""
        await asyncio.gather(*(self.pool.warm(role, _Nobody()) for role in ROLES), return_exceptions=True)

    async def sweep_forever(self) -> None:
        """Every few seconds give dropped jobs back to the queue, run what nobody was told of, and expire failures."""
        running: set[asyncio.Task[bool]] = set()
        looked_at = 0.0
        while True:
            await asyncio.sleep(self.services.settings.sweep_s)
            try:
                if time.monotonic() - looked_at > ORPHANED_AFTER_S / 6:
                    await self.delete_orphans()
                    looked_at = time.monotonic()
                for job_id in (await self.sweep())[len(running) :]:  # no more than there are places
                    task = asyncio.create_task(self.run(job_id))
                    running.add(task)
                    task.add_done_callback(running.discard)
            except Exception:
                log.exception("sweep failed; the next one tries again")

    async def sweep(self) -> list[str]:
        """Requeue what fell silent, refund what will not be retried, and return the jobs that are due."""
        database, settings = self.services.database, self.services.settings
        async with database.transaction() as session:
            for job in await lifecycle.expired(session):
                await _requeue_or_fail(session, job, job.version, settings, Interrupted())
        await self._expire()
        async with database.transaction() as session:
            await queue_position.tell(session)
        async with database.transaction() as session:
            return list(await lifecycle.due(session, limit=settings.jobs_per_executor))

    async def _expire(self) -> None:
        """Erase what has outlived its retention; a failed job that was not retried in its window is refunded."""
        async with self.services.database.transaction() as session:
            jobs = await lifecycle.outlived(session)
            blobs = [job.blob for job in jobs]
            for job in jobs:
                if job.state is JobState.FAILED:
                    await ledger.give_back(session, price_of(job), EntryKind.REFUND)
                await lifecycle.erase(session, job.id)
        for blob in blobs:
            await self.services.blobs.delete(blob)

    async def delete_orphans(self) -> None:
        """Delete uploads that a crash left without a job: between storing and accepting, or settling and deleting."""
        old = await self.services.blobs.older_than(ORPHANED_AFTER_S)
        async with self.services.database.transaction() as session:
            orphans = await jobs.without_job(session, old) if old else set()
        for blob in orphans:
            await self.services.blobs.delete(blob)

    async def _claim(self) -> Claim | None:
        async with self.services.database.transaction() as session:
            return await lifecycle.claim_next(session, self.name, self.services.settings.lease_s)


class _Nobody:
    """An observer for loads that no job waits for yet."""

    async def loading(self, event: Loading) -> None: ...

    async def inference(self, role: ModelRole) -> None: ...

    async def progress(self, role: ModelRole, share: float) -> None: ...


class _Run:
    """One attempt at one job: the pipeline's journal, and the settlement."""

    def __init__(self, services: Services, pool: ModelPool, claim: Claim) -> None:
        self.services = services
        self.pool = pool
        self.job = claim.job
        self.version = claim.version
        self._blob = claim.job.blob
        self._write = asyncio.Lock()
        self._state = JobState.QUEUED
        self._shares: dict[ModelRole, float] = dict.fromkeys(ROLES, 0.0)
        self._loading: dict[ModelRole, Loading] = {}
        self._reported_at = 0.0
        self._due_at = 0.0

    async def to_the_end(self) -> None:
        """Run the pipeline under a heartbeat and settle. Raises `LeaseLost` when the job is no longer ours."""
        async with self.services.database.transaction() as session:
            expected_s = await duration_estimate.expected_s(session, self.job.vertical, self.job.duration_s)
        self._due_at = time.monotonic() + expected_s
        work = asyncio.create_task(self._work())
        pulse = asyncio.create_task(self._heartbeat())
        warm = [asyncio.create_task(self._warm(role)) for role in ROLES]
        try:
            await asyncio.wait({work, pulse}, return_when=asyncio.FIRST_COMPLETED)
            if pulse.done():
                pulse.result()
            await self._settle(work)
        finally:
            await _stop(work, pulse, *warm)

    async def give_up(self) -> None:
        """End a job whose workers died too often to report anything."""
        await self._fail(Interrupted())

    async def _work(self) -> dict[str, Any]:
        spec = self.services.catalog.get(self.job.vertical)
        inputs = self.job.inputs
        interview = Interview(
            open_input=lambda: self.services.blobs.local(self._blob or ""),
            max_duration_s=spec.input.max_duration_s,
            duration_s=self.job.duration_s,
            role_title=inputs["role_title"],
            rubric=spec.assessment.rubric(inputs.get("rubric")),
            language=inputs.get("language"),
            num_speakers=inputs.get("num_speakers"),
            job_description=inputs.get("job_description") or "",
            words=inputs.get("words", False),
        )
        return await pipeline.run(interview, self.pool, self)

    async def _warm(self, role: ModelRole) -> None:
        with suppress(JobFailure):  # the call that needs the model meets the same failure, and reports it
            await self.pool.warm(role, self)

    async def _heartbeat(self) -> None:
        lease_s = self.services.settings.lease_s
        while True:
            await asyncio.sleep(min(1.0, lease_s / 3))  # a cancel is noticed within a second
            async with self._write, self.services.database.transaction() as session:
                await lifecycle.renew(session, self.job.id, self.version, lease_s)

    # What the models report -------------------------------------------------------------------------------------

    async def loading(self, event: Loading) -> None:
        """Enter loading_weights with the first report; later ones are progress."""
        self._loading[event.role] = event
        note = _loading_note(list(self._loading.values()))
        if not await self._enter(JobState.LOADING_WEIGHTS, note, only_from=JobState.QUEUED):
            await self._report_now_and_then(note)

    async def inference(self, role: ModelRole) -> None:
        """Enter processing_inference with the first model that begins."""
        self._loading.pop(role, None)
        await self._enter(JobState.PROCESSING_INFERENCE, Note(), only_from=None)
        await self._report(self._moved(role, f"{STAGES[role]} started"))

    async def progress(self, role: ModelRole, share: float) -> None:
        """Move the bar, at most once a second."""
        self._shares[role] = max(self._shares[role], min(share, 1.0))
        await self._report_now_and_then(self._moved(role, STAGES[role]))

    # What is kept -----------------------------------------------------------------------------------------------

    async def recall(self, stage: str, type_: type[T]) -> T | None:
        """Output of a stage an earlier attempt finished."""
        async with self.services.database.transaction() as session:
            row = await session.get(JobCheckpoint, (self.job.id, stage))
        return None if row is None else TypeAdapter(type_).validate_python(row.output)

    async def remember(self, stage: str, output: object) -> None:
        """Keep a finished stage."""
        values = {
            "job_id": self.job.id,
            "stage": stage,
            "output": TypeAdapter(type(output)).dump_python(output, mode="json"),
        }
        async with self._write, self.services.database.transaction() as session:
            await lifecycle.renew(session, self.job.id, self.version, self.services.settings.lease_s)
            await session.exec(insert(JobCheckpoint).values(**values).on_conflict_do_nothing())

    # How it ends ------------------------------------------------------------------------------------------------

    async def _settle(self, work: asyncio.Task[dict[str, Any]]) -> None:
        try:
            result = await work
        except (JobFailure, Invalid) as failure:
            await self._fail(failure)
        except LeaseLost:
            raise
        except Exception:
            log.exception("job %s failed in the pipeline", self.job.id)
            await self._fail(InferenceFailed())
        else:
            await self._complete(result)

    async def _complete(self, result: dict[str, Any]) -> None:
        await self._enter(JobState.PROCESSING_INFERENCE, Note(), only_from=None)  # all stages came from checkpoints
        async with self._write, self.services.database.transaction() as session:
            await lifecycle.transition(
                session, self.job.id, JobState.COMPLETED, seen=self.version, result=result, blob=None,
                expires_at=lifecycle.after(self.services.settings.retention_s),
            )  # fmt: skip
        await self.services.blobs.delete(self._blob)

    async def _fail(self, failure: RecruitScreenError) -> None:
        async with self._write, self.services.database.transaction() as session:
            await _requeue_or_fail(session, self.job, self.version, self.services.settings, failure)
        if not failure.retryable:
            await self.services.blobs.delete(self._blob)

    async def _enter(self, state: JobState, note: Note, only_from: JobState | None) -> bool:
        async with self._write:
            if self._state is state or (only_from and self._state is not only_from):
                return False
            async with self.services.database.transaction() as session:
                self.version = await lifecycle.transition(session, self.job.id, state, seen=self.version, note=note)
            self._state = state
            return True

    async def _report_now_and_then(self, note: Note) -> None:
        if time.monotonic() - self._reported_at >= PROGRESS_EVERY_S:
            await self._report(note)

    async def _report(self, note: Note) -> None:
        self._reported_at = time.monotonic()
        async with self._write, self.services.database.transaction() as session:
            await lifecycle.report(session, self.job.id, self.version, note)

    def _moved(self, role: ModelRole, text: str) -> Note:
        """How far the job is, and the seconds left at the pace of the jobs before it."""
        percent = round(100 * sum(SHARES[role] * share for role, share in self._shares.items()))
        expected_s = round(max(0.0, self._due_at - time.monotonic()), 1)
        return Note(text, {"stage": STAGES[role], "percent": percent, "expected_s": expected_s})


STAGES: dict[ModelRole, str] = {"asr": "transcription", "diarizer": "diarization", "assessor": "assessment"}


def _loading_note(events: list[Loading]) -> Note:
    """Which roles load, how far they are, and how long the slowest of them took lately."""
    loaded, total = sum(event.bytes_loaded for event in events), sum(event.bytes_total for event in events)
    expected = [event.expected_s for event in events if event.expected_s is not None]
    roles = [event.role for event in events]
    text = f"loading {', '.join(roles)}" + (f": {loaded // MIB} of {total // MIB} MiB" if total else "")
    text += f", about {max(expected):.0f} s" if expected else ""
    data = {"roles": roles, "bytes_loaded": loaded, "bytes_total": total, "expected_s": max(expected, default=None)}
    return Note(text, {"loading": data})


async def _requeue_or_fail(
    session: AsyncSession, job: Job, version: int, settings: Settings, failure: RecruitScreenError
) -> None:
    """Queue the job again after a back-off, or end it when trying again is pointless or was done often enough."""
    if failure.retryable and job.attempt < settings.max_attempts:
        back_off = 2.0**job.attempt
        note = Note(f"{failure.code}; next attempt in {back_off:.0f} s", {"attempt": job.attempt})
        await lifecycle.requeue(session, job.id, seen=version, after_s=back_off, note=note)
        return
    if failure.retryable:
        kept = {"expires_at": lifecycle.after(settings.retry_window_s)}
    else:  # no retry can help: refund at once
        kept = {"expires_at": lifecycle.after(settings.retention_s), "blob": None}
        await ledger.give_back(session, price_of(job), EntryKind.REFUND)
    error = {"code": failure.code, "message": failure.message, "retryable": failure.retryable}
    await lifecycle.transition(
        session, job.id, JobState.FAILED, seen=version, note=Note(failure.code, {"error": error}),
        error_code=failure.code, error_message=failure.message, **kept,
    )  # fmt: skip


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
