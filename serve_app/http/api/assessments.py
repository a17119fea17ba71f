"""Further assessments of a completed job's transcript, and the list of all of them."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from serve_app import services as app_services
from serve_app.accounts.actors import Actor
from serve_app.errors import (
    Conflict,
    InsufficientCredits,
    Invalid,
    InvalidField,
    JobNotFound,
    KeyCapReached,
    RateLimited,
    Unauthorized,
    WrongScope,
)
from serve_app.http.api.jobs import saved_rubric
from serve_app.http.deps import CurrentCaller, OwnedJob, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import JobId, SubmittedJob
from serve_app.http.upload import RUBRIC_ID_FORM
from serve_app.jobs import assess_again
from serve_app.jobs.assess_again import Reassessment
from serve_app.jobs.models import MAX_LABEL, Job, JobState
from serve_app.pipeline.corrections import Correction
from serve_app.storage.text import Storable
from serve_app.verticals.rubric import CallerRubric

router = APIRouter(
    prefix="/v1/jobs/{job_id}/assessments",
    tags=["jobs"],
    responses=refusals(Unauthorized, WrongScope, JobNotFound, InvalidField, RateLimited),
)

MAX_LINES = 10_000
INPUTS = ("role_title", "job_description", "rubric", "candidate")
Speaker = Annotated[str, Field(pattern=r"^SPEAKER_\d{2}$")]
Name = Annotated[Storable, Field(min_length=1, max_length=100)]


def _has_words(text: str) -> str:
    if not text.split():
        raise ValueError("must have at least one word")
    return text


class LineForm(BaseModel):
    """A correction of one line of the transcript: other words, another speaker, or both."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    line: int = Field(ge=0, lt=MAX_LINES, description="Index in the result's transcript, from 0.")
    text: Annotated[Storable, Field(max_length=10_000), AfterValidator(_has_words)] | None = None
    speaker: Speaker | None = Field(default=None, description="A speaker of the transcript, or a new one.")


def _once_each(lines: list[LineForm]) -> list[LineForm]:
    numbers = [each.line for each in lines]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise ValueError(f"line {twice} is corrected twice. Send it once")
    return lines


class ReassessForm(BaseModel):
    """What changes against the job in the path. What is left out stays; null takes an optional input away."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role_title: Annotated[Storable, Field(min_length=1, max_length=200)] | None = None
    job_description: Annotated[Storable, Field(max_length=20_000)] | None = None
    rubric: CallerRubric | None = Field(default=None, description="Your own rubric. Null: the product's.")
    rubric_id: Annotated[Storable, Field(max_length=32, description=RUBRIC_ID_FORM)] | None = None
    candidate: Annotated[Storable, Field(max_length=64)] | None = Field(
        default=None,
        description="Who the candidate is: a speaker of the transcript, or as at submit. Null: guessed.",
        examples=["SPEAKER_01"],
    )
    speakers: dict[str, Name] = Field(
        default_factory=dict, description="Names by speaker. Transcripts show them; no model receives them."
    )
    lines: Annotated[list[LineForm], Field(max_length=MAX_LINES), AfterValidator(_once_each)] = Field(
        default_factory=list, description="Corrected lines of the transcript."
    )
    label: Annotated[Storable, Field(min_length=1, max_length=MAX_LABEL)] | None = None

    def changes(self) -> dict[str, Any]:
        """The inputs that were sent, null included. A role is always needed: null is the job's."""
        sent = self.model_dump(mode="json", include={*INPUTS} & self.model_fields_set, exclude_none=False)
        return {name: value for name, value in sent.items() if name != "role_title" or value is not None}


class AssessmentVersion(BaseModel):
    """One assessment of a recording, for comparison. Its job has the whole result."""

    version: int = Field(description="1 is the job that was submitted with the recording.")
    job_id: JobId
    based_on: str | None = Field(description="The job whose transcript and inputs it started from. Null for version 1.")
    status: JobState
    role_title: str | None
    label: str | None
    corrected_lines: int
    candidate: str | None = Field(description="The speaker taken for the candidate.")
    rubric_version: str | None
    model: str | None
    recommendation: str | None
    scores: dict[str, int | None] = Field(description="By competency. Empty until the job is completed.")
    credits_charged: int
    created_at: datetime
    finished_at: datetime | None
    status_url: str
    events_url: str

    @classmethod
    def of(cls, number: int, job: Job) -> "AssessmentVersion":
        """The public view of a row."""
        result = job.result or {}
        assessment = result.get("assessment", {})
        return cls(
            version=number,
            job_id=job.id,
            based_on=job.based_on_id,
            status=job.state,
            role_title=job.inputs.get("role_title"),
            label=job.label,
            corrected_lines=sum("original" in row for row in result.get("transcript", ())),
            candidate=result.get("candidate", {}).get("speaker"),
            rubric_version=assessment.get("rubric_version"),
            model=assessment.get("model"),
            recommendation=assessment.get("recommendation"),
            scores={slug: score["score"] for slug, score in assessment.get("scores", {}).items()},
            credits_charged=job.credits,
            created_at=job.created_at,
            finished_at=job.finished_at,
            status_url=f"/v1/jobs/{job.id}",
            events_url=f"/v1/jobs/{job.id}/events",
        )


class AssessmentVersions(BaseModel):
    """All assessments of one recording, oldest first."""

    data: list[AssessmentVersion]


@router.post("", status_code=202, responses=refusals(InsufficientCredits, KeyCapReached, Conflict, Invalid))
async def reassess_job(
    job: OwnedJob,
    caller: CurrentCaller,
    services: Services,
    form: ReassessForm,
    idempotency_key: Annotated[Storable | None, Header(min_length=1, max_length=255)] = None,
) -> SubmittedJob:
    """Assess a completed job's transcript again: another role, rubric or candidate, corrected words or speakers.

    The answer names a job of its own, with its own price, states and stream. It runs neither ASR nor diarization, and
    the job in the path stays as it is. To build on a correction, send the next request to the job that made it. Every
    assessment is erased with the job that was submitted with the recording. An `Idempotency-Key` makes retries safe.
    """
    return await reassess(job, caller.actor, services, form, idempotency_key)


async def reassess(
    job: Job, actor: Actor, services: app_services.Services, form: ReassessForm, idempotency_key: str | None
) -> SubmittedJob:
    """Queue another assessment of a job's transcript and tell the executors."""
    request = Reassessment(
        spec=services.catalog.get(job.vertical),
        changes=form.changes() | await saved_rubric(services, actor, form.rubric_id, form.rubric),
        corrections=tuple(Correction(**line.model_dump()) for line in form.lines),
        names=form.speakers,
        label=form.label,
        idempotency_key=idempotency_key,
    )

    async def accept() -> SubmittedJob:
        async with services.database.transaction() as session:
            accepted = await assess_again.assess_again(session, actor, job, request)
        if not accepted.replayed:
            await services.dispatcher.notify()
        return SubmittedJob.of(accepted)

    return await asyncio.shield(accept())  # Serve cancels the handler when the client disconnects


@router.get("")
async def list_assessments(job: OwnedJob, services: Services) -> AssessmentVersions:
    """List all assessments of the job's recording, with their scores side by side."""
    async with services.database.transaction() as session:
        rows = await assess_again.versions(session, job)
    return AssessmentVersions(data=[AssessmentVersion.of(number, row) for number, row in enumerate(rows, start=1)])
