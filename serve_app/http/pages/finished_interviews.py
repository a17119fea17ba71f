"""The page of a finished interview and what is done there: rate, correct and assess again, save as a file.

What the page does is done by the API's own routes, as the visitor.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from serve_app.errors import Conflict
from serve_app.http.api.assessments import ReassessForm, reassess
from serve_app.http.api.reviews import ReviewForm, save_review
from serve_app.http.api.scorecards import ScorecardFormat, ScorecardQuery, export_scorecard
from serve_app.http.api.transcripts import TranscriptFormat, export_transcript
from serve_app.http.deps import Services
from serve_app.http.pages import changes
from serve_app.http.pages.judgement import RECOMMENDATIONS, Judgement
from serve_app.http.pages.scorecard import Scorecard
from serve_app.http.pages.templates import MEDIA_POLICY, PRIVATE, render
from serve_app.http.pages.visitors import CurrentVisitor, ScriptSender, Visitor
from serve_app.http.schemas import SubmittedJob
from serve_app.jobs import overview, reading, review
from serve_app.jobs import queries as jobs
from serve_app.jobs.models import Job
from serve_app.pipeline.result import Review
from serve_app.pipeline.scorecard.document import Section
from serve_app.storage.text import Storable
from serve_app.verticals import rubric_templates

router = APIRouter(prefix="/interviews/{job_id}", include_in_schema=False)

BLANK: dict[str, Any] = {
    "score": None,
    "rationale": "",
    "evidence": [],
    "confidence": None,
    "reason": None,
    "stable": True,
}
"""A score of which nothing is shown."""


async def get_interview(visitor: CurrentVisitor, services: Services, job_id: str) -> Job:
    """The interview in the path. Raises `JobNotFound` unless the visitor's account owns it."""
    async with services.database.transaction() as session:
        return await jobs.get_owned(session, visitor.account_id, job_id)


Interview = Annotated[Job, Depends(get_interview)]


async def get_shown_interview(visitor: CurrentVisitor, services: Services, interview: Interview) -> Job:
    """The interview in the path. Raises `Conflict` where the visitor has to rate before they see the model's scores."""
    async with services.database.transaction() as session:
        if await review.must_rate_first(session, visitor.actor, interview):
            raise Conflict("Rate every competency first. The model's scores are shown after that.")
    return interview


ShownInterview = Annotated[Job, Depends(get_shown_interview)]


async def show_scorecard(visitor: Visitor, services: Services, interview: Job) -> HTMLResponse:
    """The scorecard of an interview that has a result; without the model's part where the visitor rates first."""
    assert interview.result is not None
    async with services.database.transaction() as session:
        await reading.note_seen(session, visitor.actor, interview)
        hidden = await review.must_rate_first(session, visitor.actor, interview)
        versions = await overview.list_versions(session, interview)
        base = await jobs.get_job(session, interview.based_on_id) if interview.based_on_id else None
        rubrics = await rubric_templates.list_rubrics(session, visitor.actor)
    result = without_model(interview.result) if hidden else interview.result
    context = {
        "visitor": visitor,
        "interview": interview,
        "product": services.catalog.get(interview.vertical),
        "result": result,
        "card": Scorecard(result),
        "hidden": hidden,
        "judgement": Judgement.of(interview.reviews, visitor.actor.name, hidden=hidden),
        "recommendations": RECOMMENDATIONS,
        "versions": versions,
        "rubrics": rubrics,
        "changes": changes.between(base, interview) if base else None,
    }
    return render("scorecard.html", context, policy=MEDIA_POLICY, headers=PRIVATE)


def without_model(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result without all that the model has judged."""
    assessment = result["assessment"]
    emptied = {"scores": dict.fromkeys(assessment["scores"], BLANK), "recommendation": "insufficient_evidence"}
    emptied |= {name: [] for name in ("highlights", "red_flags", "questions_for_next_round")}
    emptied |= {"summary": "", "submittal_note": ""}
    return {**result, "assessment": assessment | emptied}


@router.post("/review")
async def review_interview(visitor: ScriptSender, services: Services, interview: Interview, form: ReviewForm) -> Review:
    """Save the visitor's ratings. The reviewer is who is signed in, whatever the request says."""
    form.reviewer = visitor.actor.name
    return await save_review(interview, visitor.actor, services, form)


@router.post("/assessments", status_code=202)
async def assess_interview_again(
    visitor: ScriptSender,
    services: Services,
    interview: Interview,
    form: ReassessForm,
    idempotency_key: Annotated[Storable | None, Header(min_length=1, max_length=255)] = None,
) -> SubmittedJob:
    """Assess the transcript again, corrected or under another role or rubric."""
    return await reassess(interview, visitor.actor, services, form, idempotency_key)


@router.get("/transcript.{format_}")
async def download_transcript(
    visitor: CurrentVisitor, services: Services, interview: Interview, format_: TranscriptFormat
) -> Response:
    """The transcript as a file."""
    return _private(await export_transcript(interview, visitor.actor, services, format_))


class FileQuery(BaseModel):
    """What a scorecard as a file holds: these sections, or the usual ones of its format."""

    sections: Annotated[list[Section], Field(max_length=len(Section))] = []
    hide_name: bool = False


@router.get("/scorecard.{format_}")
async def download_scorecard(
    visitor: CurrentVisitor,
    services: Services,
    interview: ShownInterview,
    format_: ScorecardFormat,
    chosen: Annotated[FileQuery, Query()],
) -> Response:
    """The scorecard as a file."""
    query = ScorecardQuery(format=format_, **{name: value for name, value in chosen if value})
    return _private(await export_scorecard(interview, visitor.actor, services, query))


def _private(answer: Response) -> Response:
    """The same answer, which no cache keeps."""
    answer.headers.update(PRIVATE)
    return answer
