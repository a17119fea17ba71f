"""Run jobs: claim the next one, take it through the pipeline, settle it.

A worker writes only through `jobs.lifecycle`, with the version it knows. Once the job has moved on (canceled, or
claimed by another worker after a lost lease), the next write raises `LeaseLost`: the work stops and nothing is settled.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from serve_app.errors import (
    InferenceFailed,
    Interrupted,
    Invalid,
    JobFailure,
    LeaseLost,
    NotFound,
    RecruitScreenError,
    Unavailable,
)
from serve_app.jobs import duration_estimate, lifecycle, settlement
from serve_app.jobs.lifecycle import Claim, Note
from serve_app.jobs.models import Job, JobState
from serve_app.jobs.writer import JobWriter, cancel
from serve_app.pipeline import interview as pipeline
from serve_app.pipeline.interview import Interview
from serve_app.pipeline.ports import Loading, ModelPool
from serve_app.pipeline.types import ROLES, ModelRole
from serve_app.services import Services

T = TypeVar("T")
log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 1.0
PROGRESS_WEIGHTS: dict[ModelRole, float] = {"asr": 0.45, "diarizer": 0.35, "assessor": 0.20}
"""Share of the progress bar that each model fills."""
FURTHER_ROLES: tuple[ModelRole, ...] = ("assessor",)
"""Models that a further assessment of a transcript needs."""
STAGES: dict[ModelRole, str] = {"asr": "transcription", "diarizer": "diarization", "assessor": "assessment"}
MIB = 1 << 20


class Executor:
    """Runs up to `jobs_per_executor` jobs at once over one model pool."""

    def __init__(self, services: Services, pool: ModelPool, name: str = "") -> None:
        self.services = services
        self.pool = pool
        self.name = name or socket.gethostname()
        self._slots = asyncio.Semaphore(services.settings.jobs_per_executor)

    async def run_next(self) -> bool:
        """Run the next job in scheduling order. False when none is due, True when one was settled or requeued.

        A call brings one more job into work, not the job that was submitted: otherwise an account that sends a thousand
        recordings would be served a thousand times before the next account.
        """
        settings = self.services.settings
        async with self._slots:
            async with self.services.database.transaction() as session:
                claim = await lifecycle.claim_next(session, self.name, settings.lease_s)
            if claim is None:
                return False
            attempt = _Attempt(self.services, self.pool, claim)
            with suppress(LeaseLost):
                if claim.job.attempt <= settings.max_attempts:
                    await attempt.run()
                else:  # its workers died too often to report a failure
                    await attempt.fail(Interrupted())
            return True

    async def prefetch(self) -> None:
        """Load all models that fit into free memory, ahead of a job."""
        await asyncio.gather(*(self.pool.warm(role, _NoObserver()) for role in ROLES), return_exceptions=True)


class _NoObserver:
    """Observer of loads that no job waits for."""

    async def loading(self, event: Loading) -> None: ...

    async def inference(self, role: ModelRole) -> None: ...

    async def progress(self, role: ModelRole, share: float) -> None: ...


class _Attempt:
    """One attempt at one job: runs the pipeline under a heartbeat, and settles."""

    def __init__(self, services: Services, pool: ModelPool, claim: Claim) -> None:
        self._services = services
        self._pool = pool
        self._writer = JobWriter(services.database, claim, services.settings.lease_s)

    async def run(self) -> None:
        """Run the pipeline to its end and settle. Raises `LeaseLost`."""
        job = self._writer.job
        further = job.original_id is not None
        expected_s = await self._writer.write(
            lambda session, _: duration_estimate.expected_s(session, job.vertical, job.duration_s, further=further)
        )
        roles = FURTHER_ROLES if further else ROLES
        journal = _Journal(self._writer, expected_s, roles)
        loads = [asyncio.create_task(self._load(role, journal)) for role in roles]
        try:
            await self._settle(self._writer.while_leased(self._work(job, journal)))
        finally:
            await cancel(*loads)

    async def fail(self, failure: RecruitScreenError) -> None:
        """End the attempt with a failure: the job is queued again or fails. Raises `LeaseLost`."""
        settings = self._services.settings
        blob = await self._writer.write(
            lambda session, claim: settlement.requeue_or_fail(session, claim, settings, failure)
        )
        await self._services.blobs.delete(blob)

    async def _work(self, job: Job, journal: "_Journal") -> dict[str, Any]:
        return await pipeline.run(self._interview(job), self._pool, journal)

    async def _settle(self, work: Awaitable[dict[str, Any]]) -> None:
        try:
            result = await work
        except (JobFailure, Invalid, NotFound) as failure:  # not found: the product was removed
            await self.fail(failure)
        except LeaseLost:
            raise
        except Unavailable as outage:
            log.warning("job %s was interrupted: %s", self._writer.job.id, outage)
            await self.fail(Interrupted())
        except Exception:
            log.exception("job %s failed in the pipeline", self._writer.job.id)
            await self.fail(InferenceFailed())
        else:
            await self._complete(result)

    async def _complete(self, result: dict[str, Any]) -> None:
        await self._writer.enter(JobState.PROCESSING_INFERENCE)  # all stages may have come from checkpoints
        retention_s = self._services.settings.retention_s
        await self._writer.write(lambda session, claim: settlement.complete(session, claim, result, retention_s))
        await self._services.blobs.delete(self._writer.job.blob)

    async def _load(self, role: ModelRole, journal: "_Journal") -> None:
        with suppress(JobFailure):  # the call that needs the model meets the same failure, and reports it
            await self._pool.warm(role, journal)

    def _interview(self, job: Job) -> Interview:
        spec, inputs, blob = self._services.catalog.get(job.vertical), job.inputs, job.blob or ""
        return Interview(
            open_input=lambda: self._services.blobs.local(blob),
            max_duration_s=spec.input.max_duration_s,
            duration_s=job.duration_s,
            role_title=inputs["role_title"],
            rubric=spec.assessment.rubric(inputs.get("rubric")),
            language=inputs.get("language"),
            num_speakers=inputs.get("num_speakers"),
            candidate=inputs.get("candidate"),
            job_description=inputs.get("job_description") or "",
            words=inputs.get("words", False),
        )


class _Journal:
    """The pipeline's journal: turns the models' reports into job states and progress events."""

    def __init__(self, writer: JobWriter, expected_s: float, roles: Sequence[ModelRole]) -> None:
        self._writer = writer
        self._weight = sum(PROGRESS_WEIGHTS[role] for role in roles)
        self._due_at = time.monotonic() + expected_s
        self._shares: dict[ModelRole, float] = dict.fromkeys(ROLES, 0.0)
        self._loading: dict[ModelRole, Loading] = {}
        self._reported_at = 0.0

    async def loading(self, event: Loading) -> None:
        """Enter loading_weights with the first report. Later reports are progress."""
        self._loading[event.role] = event
        note = _loading_note(list(self._loading.values()))
        if not await self._writer.enter(JobState.LOADING_WEIGHTS, note, only_from=JobState.QUEUED):
            await self._report_if_due(note)

    async def inference(self, role: ModelRole) -> None:
        """Enter processing_inference with the first model that starts."""
        self._loading.pop(role, None)
        await self._writer.enter(JobState.PROCESSING_INFERENCE)
        await self._report(self._progress_note(role, f"{STAGES[role]} started"))

    async def progress(self, role: ModelRole, share: float) -> None:
        """Report progress, at most once a second. `share` is the finished part of the role's work, 0 to 1."""
        self._shares[role] = max(self._shares[role], min(share, 1.0))
        await self._report_if_due(self._progress_note(role, STAGES[role]))

    async def recall(self, stage: str, type_: type[T]) -> T | None:
        """Output of a stage that an earlier attempt finished."""
        return await self._writer.load_checkpoint(stage, type_)

    async def remember(self, stage: str, output: object) -> None:
        """Keep the output of a finished stage."""
        await self._writer.save_checkpoint(stage, output)

    async def _report_if_due(self, note: Note) -> None:
        if time.monotonic() - self._reported_at >= PROGRESS_INTERVAL_S:
            await self._report(note)

    async def _report(self, note: Note) -> None:
        self._reported_at = time.monotonic()
        await self._writer.report(note)

    def _progress_note(self, role: ModelRole, detail: str) -> Note:
        """Percent done, and the seconds left at the pace of earlier jobs."""
        done = sum(PROGRESS_WEIGHTS[role] * share for role, share in self._shares.items())
        percent = round(100 * done / self._weight)
        expected_s = round(max(0.0, self._due_at - time.monotonic()), 1)
        return Note(detail, {"stage": STAGES[role], "percent": percent, "expected_s": expected_s})


def _loading_note(events: list[Loading]) -> Note:
    """The roles that load, the bytes loaded, and the recent load time of the slowest role."""
    loaded, total = sum(event.bytes_loaded for event in events), sum(event.bytes_total for event in events)
    expected = [event.expected_s for event in events if event.expected_s is not None]
    roles = [event.role for event in events]
    detail = f"loading {', '.join(roles)}" + (f": {loaded // MIB} of {total // MIB} MiB" if total else "")
    detail += f", about {max(expected):.0f} s" if expected else ""
    data = {"roles": roles, "bytes_loaded": loaded, "bytes_total": total, "expected_s": max(expected, default=None)}
    return Note(detail, {"loading": data})
