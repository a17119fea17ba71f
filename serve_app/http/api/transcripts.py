"""Transcripts in JSON, plain text, SRT and WebVTT."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from serve_app import services as app_services
from serve_app.accounts.actors import Actor
from serve_app.errors import Conflict, InvalidField, JobNotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import CurrentCaller, OwnedJob, Services
from serve_app.http.openapi import refusals
from serve_app.jobs import reading
from serve_app.jobs.models import Job
from serve_app.pipeline import exports

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    responses=refusals(Unauthorized, WrongScope, JobNotFound, Conflict, InvalidField, RateLimited),
)


class TranscriptFormat(StrEnum):
    """Formats of a transcript."""

    JSON = "json"
    TXT = "txt"
    SRT = "srt"
    VTT = "vtt"


WRITERS = {
    TranscriptFormat.TXT: (exports.to_text, "text/plain; charset=utf-8"),
    TranscriptFormat.SRT: (exports.to_srt, "application/x-subrip"),
    TranscriptFormat.VTT: (exports.to_vtt, "text/vtt; charset=utf-8"),
}


@router.get(
    "/{job_id}/transcript",
    response_model=list[exports.Row],
    responses={200: {"content": {"text/plain": {}, "text/vtt": {}, "application/x-subrip": {}}}},
)
async def get_transcript(
    job: OwnedJob,
    caller: CurrentCaller,
    services: Services,
    format_: Annotated[TranscriptFormat, Query(alias="format", description="The format.")] = TranscriptFormat.JSON,
) -> Response:
    """Get the transcript of a completed job as JSON, plain text, SRT or WebVTT."""
    return await export_transcript(job, caller.actor, services, format_)


async def export_transcript(
    job: Job, actor: Actor, services: app_services.Services, format_: TranscriptFormat
) -> Response:
    """Write a transcript in the form that was asked for, and log it."""
    if job.result is None:
        raise Conflict(f"The job is {job.state} and has no transcript. Only a completed, undeleted job has one.")
    async with services.database.transaction() as session:
        await reading.note_export(session, actor, job, f"transcript as {format_}")
    if format_ is TranscriptFormat.JSON:
        return JSONResponse(job.result["transcript"])
    write, media_type = WRITERS[format_]
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.{format_}"'}
    text = write(exports.from_rows(job.result["transcript"]), _names(job.result))
    return PlainTextResponse(text, media_type=media_type, headers=headers)


def _names(result: dict[str, Any]) -> dict[str, str]:
    return {
        label: f"{guess.get('name') or guess['role'].capitalize()} ({label})"
        for label, guess in result["speakers"].items()
    }
