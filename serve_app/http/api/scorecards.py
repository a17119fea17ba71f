"""Scorecards as documents, and in the forms that applicant tracking systems take."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from serve_app import services as app_services
from serve_app.accounts.actors import Actor
from serve_app.errors import Conflict, InvalidField, JobNotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import CurrentCaller, OwnedJob, Services
from serve_app.http.openapi import refusals
from serve_app.jobs import reading
from serve_app.jobs.models import Job
from serve_app.jobs.review import with_reviews
from serve_app.pipeline.scorecard.ats import AshbyFeedback, GreenhouseNote, to_ashby, to_greenhouse
from serve_app.pipeline.scorecard.document import DEFAULT_SECTIONS, Heading, Scorecard, Section, make_scorecard
from serve_app.pipeline.scorecard.docx import to_docx
from serve_app.pipeline.scorecard.pdf import to_pdf
from serve_app.pipeline.scorecard.table import to_table
from serve_app.pipeline.scorecard.text import to_markdown

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    responses=refusals(Unauthorized, WrongScope, JobNotFound, Conflict, InvalidField, RateLimited),
)


class ScorecardFormat(StrEnum):
    """Formats of a scorecard."""

    JSON = "json"
    PDF = "pdf"
    DOCX = "docx"
    MARKDOWN = "md"
    CSV = "csv"
    ASHBY = "ashby"
    GREENHOUSE = "greenhouse"


Content = Scorecard | AshbyFeedback | GreenhouseNote
FILES: dict[ScorecardFormat, tuple[Callable[[Scorecard], str | bytes], str]] = {
    ScorecardFormat.PDF: (to_pdf, "application/pdf"),
    ScorecardFormat.DOCX: (to_docx, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ScorecardFormat.MARKDOWN: (to_markdown, "text/markdown; charset=utf-8"),
    ScorecardFormat.CSV: (to_table, "text/csv; charset=utf-8"),
}
FORMS: dict[ScorecardFormat, Callable[[Scorecard], Any]] = {
    ScorecardFormat.JSON: lambda card: card,
    ScorecardFormat.ASHBY: to_ashby,
    ScorecardFormat.GREENHOUSE: to_greenhouse,
}
WITHOUT_SECTIONS = (ScorecardFormat.CSV, ScorecardFormat.ASHBY)
"""Formats that hold the scores and nothing else."""


class ScorecardQuery(BaseModel):
    """Format and content of a scorecard. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    format: ScorecardFormat = ScorecardFormat.JSON
    sections: Annotated[list[Section], Field(min_length=1, max_length=len(Section))] = Field(
        default=list(DEFAULT_SECTIONS),
        description="Sections to include. Repeat the parameter for several. Default: all but the transcript. Not for "
        "csv and ashby, which hold the scores.",
    )
    hide_name: bool = Field(
        default=False,
        description="Leave out the job's label, its metadata `candidate` and the candidate's name as a speaker, and "
        "write [name] where the texts have one of their capitalised words. Other names stay where they were said.",
    )


@router.get(
    "/{job_id}/scorecard",
    response_model=Content,
    responses={200: {"content": {media_type.partition(";")[0]: {} for _, media_type in FILES.values()}}},
)
async def get_scorecard(
    job: OwnedJob, caller: CurrentCaller, services: Services, query: Annotated[ScorecardQuery, Query()]
) -> Response:
    """Get the scorecard of a completed job as a document, or as the values that Ashby and Greenhouse take.

    Every format names the model and the rubric's version, and says that a person decides. `ashby` holds scores from 1
    to 4 (1→1, 2→2, 3→2, 4→3, 5→4) and no overall recommendation. `greenhouse` is a private note. Nothing is sent.
    """
    return await export_scorecard(job, caller.actor, services, query)


async def export_scorecard(job: Job, actor: Actor, services: app_services.Services, query: ScorecardQuery) -> Response:
    """Write a scorecard in the form that was asked for, and log it."""
    if query.format in WITHOUT_SECTIONS and "sections" in query.model_fields_set:
        raise InvalidField(
            f"'sections' does not apply to {query.format}, which holds the scores. Leave it out.", "sections"
        )
    card = _card(job, query)
    async with services.database.transaction() as session:
        await reading.note_export(session, actor, job, f"scorecard as {query.format}")
    if query.format in FORMS:
        return JSONResponse(TypeAdapter(Any).dump_python(FORMS[query.format](card), mode="json"))
    write, media_type = FILES[query.format]
    content = await asyncio.to_thread(write, card)
    headers = {"Content-Disposition": f'attachment; filename="scorecard-{job.id}.{query.format}"'}
    return Response(content, media_type=media_type, headers=headers)


def _card(job: Job, query: ScorecardQuery) -> Scorecard:
    sections = (Section.SUMMARY, Section.SCORES) if query.format in WITHOUT_SECTIONS else query.sections
    return scorecard_of(job, sections, hide_name=query.hide_name)


def scorecard_of(job: Job, sections: Sequence[Section], *, hide_name: bool) -> Scorecard:
    """The scorecard of a completed job. Raises `Conflict` for any other."""
    result = with_reviews(job)
    if result is None:
        raise Conflict(f"The job is {job.state} and has no scorecard. Only a completed, undeleted job has one.")
    heading = Heading(
        job.id,
        role_title=str(job.inputs.get("role_title", "")),
        created_at=job.created_at,
        candidate=str(job.labels.get("candidate", "")),
        label=job.label or "",
    )
    return make_scorecard(result, heading, sections, hide_name=hide_name)
