"""Assess a completed job again: its transcript, as it is or corrected, under another role, rubric or candidate.

The new assessment is a job of its own, with its own price, states, stream and result. It begins with the finished
stages of the job that it is based on, so neither the recording nor ASR or diarization is needed. All assessments of a
recording belong to the job that was submitted with it, its original, and are erased with that.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.errors import Conflict, InvalidField
from serve_app.jobs import submit
from serve_app.jobs.models import Job, JobCheckpoint
from serve_app.jobs.submit import Accepted
from serve_app.pipeline.alignment import align
from serve_app.pipeline.assessment.unassessed import language_unsupported
from serve_app.pipeline.corrections import CorrectedTranscript, Correction, correct, with_moved_turns
from serve_app.pipeline.languages import JUDGED
from serve_app.pipeline.types import Diarization, StatedCandidate, Transcription
from serve_app.verticals.spec import VerticalSpec

T = TypeVar("T")

MAX_VERSIONS = 50
"""Assessments of one recording, the first included."""
STAGES = ("input", "transcription", "diarization")
"""Stages that a further assessment begins with."""
NO_BLOB = ""
"""Blob of a further assessment: its input is in the database. None would mean that the input is gone."""
CORRECTED = "corrected"
"""The checkpoint of a transcript with corrections or names."""


@dataclass(frozen=True, slots=True)
class Reassessment:
    """A request for another assessment."""

    spec: VerticalSpec
    changes: dict[str, Any] = field(default_factory=dict)
    """Inputs in place of the job's: role_title, job_description, rubric, candidate. None takes one away."""
    corrections: tuple[Correction, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    """Names of speakers by label."""
    label: str | None = None
    idempotency_key: str | None = None

    def fingerprint(self, base_id: str) -> str:
        """SHA-256 over the base and all that changes: equal for repeats of one request."""
        corrections = [asdict(correction) for correction in self.corrections]
        parts = ["assess again", base_id, self.changes, corrections, self.names, self.label]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


async def assess_again(session: AsyncSession, actor: Actor, base: Job, request: Reassessment) -> Accepted:
    """Charge and queue another assessment of the transcript of `base`, or repeat the answer to the same request.

    Raises `Conflict` when `base` has no transcript to assess, `InvalidField` for a line, speaker or candidate that it
    does not have, `NotPermitted`, and what `submit.accept` raises.
    """
    actor.must_be(Role.RECRUITER)
    job = _new_job(actor, base, request)
    if earlier := await submit.reserve_key(session, job, request.idempotency_key, request.fingerprint(base.id)):
        return earlier
    base = await _lock(session, base)
    stages = await _stages(session, base)
    transcript, diarization = await asyncio.to_thread(_correct, base, stages, request)
    _check_candidate(request.changes.get("candidate"), transcript)
    accepted = await submit.charge_and_queue(session, job, request.idempotency_key)
    stages["diarization"] = _dump(Diarization, diarization)
    if transcript.originals or transcript.names:
        stages[CORRECTED] = _dump(CorrectedTranscript, transcript)
    session.add_all(JobCheckpoint(job_id=job.id, stage=stage, output=output) for stage, output in stages.items())
    await session.flush()
    await audit.record(session, actor, Action.INTERVIEW_REASSESSED, base.id, f"the new assessment is {job.id}")
    return accepted


async def versions(session: AsyncSession, job: Job) -> Sequence[Job]:
    """All assessments of the job's recording, the original first, then in the order of their requests."""
    original_id = job.original_id or job.id
    mine = (col(Job.id) == original_id) | (col(Job.original_id) == original_id)
    query = select(Job).where(mine).order_by(col(Job.original_id).is_not(None), col(Job.created_at), col(Job.id))
    return (await session.exec(query)).all()


def _new_job(actor: Actor, base: Job, request: Reassessment) -> Job:
    inputs = {name: value for name, value in (base.inputs | request.changes).items() if value is not None}
    return Job(
        account_id=base.account_id,
        key_id=actor.key_id,
        vertical=base.vertical,
        original_id=base.original_id or base.id,
        based_on_id=base.id,
        inputs=inputs,
        labels=base.labels,
        label=request.label or base.label,
        file_name=base.file_name,
        consent_text=base.consent_text,
        language=base.language,
        duration_s=base.duration_s,
        credits=request.spec.price.credits_per_assessment,
        blob=NO_BLOB,
        blob_sha256=base.blob_sha256,
        blob_bytes=base.blob_bytes,
    )


async def _lock(session: AsyncSession, base: Job) -> Job:
    """Lock the original, which keeps it from being erased meanwhile, and read the base. Raises `Conflict`."""
    original_id = base.original_id or base.id
    await session.exec(select(col(Job.id)).where(col(Job.id) == original_id).with_for_update())
    base = await session.get_one(Job, base.id)
    if base.result is None:
        raise Conflict(
            f"The job is {base.state} and has no transcript. Only a completed, undeleted job can be assessed again."
        )
    if base.result.get("no_speech"):
        raise Conflict("No speech was recognised in the recording, so there is nothing to assess.")
    if base.result["language"] not in JUDGED:
        raise Conflict(f"{language_unsupported(base.result['language'])} Another assessment would score nothing.")
    made = (await session.exec(select(func.count()).where(col(Job.original_id) == original_id))).one() + 1
    if made >= MAX_VERSIONS:
        raise Conflict(f"The recording has {made} assessments, the most that it can have. Submit it again.")
    return base


async def _stages(session: AsyncSession, base: Job) -> dict[str, Any]:
    rows = (await session.exec(select(JobCheckpoint).where(col(JobCheckpoint.job_id) == base.id))).all()
    stages = {row.stage: row.output for row in rows if row.stage in {*STAGES, CORRECTED}}
    if not stages.keys() >= set(STAGES):
        raise Conflict("An earlier version of the service did not keep what another assessment needs. Submit it again.")
    return stages


def _correct(base: Job, stages: dict[str, Any], request: Reassessment) -> tuple[CorrectedTranscript, Diarization]:
    """The base's transcript and diarization with the request's corrections. Raises `InvalidField` and `Conflict`."""
    diarization = _load(Diarization, stages["diarization"])
    if CORRECTED in stages:
        transcript = _load(CorrectedTranscript, stages[CORRECTED])
    else:
        transcript = CorrectedTranscript(align(_load(Transcription, stages["transcription"]), diarization))
    shown: list[dict[str, Any]] = (base.result or {})["transcript"]
    for correction in request.corrections:
        if correction.line >= len(shown):
            raise InvalidField(f"'lines': there is no line {correction.line}. The last is {len(shown) - 1}.", "lines")
        if shown[correction.line]["text"] != transcript.utterances[correction.line].text:
            raise Conflict("An earlier version of the service cut this transcript into other lines. Submit it again.")
    corrected = correct(transcript, request.corrections, request.names)
    if unknown := request.names.keys() - _speakers(corrected):
        raise InvalidField(
            f"'speakers': nobody is called '{min(unknown)[:60]}'. Speakers: {', '.join(_speakers(corrected))}.",
            "speakers",
        )
    return corrected, with_moved_turns(diarization, transcript, request.corrections)


def _check_candidate(candidate: str | None, transcript: CorrectedTranscript) -> None:
    known = [*get_args(StatedCandidate), *_speakers(transcript)]
    if candidate is not None and candidate not in known:
        raise InvalidField(f"'candidate': '{candidate[:60]}' is none of {', '.join(known)}.", "candidate")


def _speakers(transcript: CorrectedTranscript) -> dict[str, None]:
    return dict.fromkeys(utterance.speaker for utterance in transcript.utterances)


def _load(type_: type[T], output: Any) -> T:
    return TypeAdapter(type_).validate_python(output)


def _dump(type_: type[T], output: T) -> Any:
    return TypeAdapter(type_).dump_python(output, mode="json")
