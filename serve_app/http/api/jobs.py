"""Jobs: submit, get, follow, cancel, retry, delete."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from serve_app import services as app_services
from serve_app.accounts.actors import Actor, Role
from serve_app.credits import ledger
from serve_app.errors import (
    Conflict,
    FileTooLarge,
    InsufficientCredits,
    Invalid,
    InvalidField,
    JobNotFound,
    KeyCapReached,
    MediaEncrypted,
    MediaTooLong,
    MediaTooShort,
    MediaUnreadable,
    NoAudioTrack,
    NotFound,
    RateLimited,
    SourceRefused,
    Unauthorized,
    Unavailable,
    VerticalNotFound,
    WrongScope,
)
from serve_app.http.api.webhooks import check_webhook_url
from serve_app.http.deps import CurrentCaller, OwnedJob, PermittedVertical, ReadableJob, Services, job_tokens
from serve_app.http.openapi import refusals
from serve_app.http.schemas import DeletedJob, JobView, StreamToken, SubmittedJob
from serve_app.http.tokens import LIFETIME_S
from serve_app.http.upload import OPENAPI_FORM, submit_form
from serve_app.jobs import queries as jobs
from serve_app.jobs import settlement
from serve_app.jobs.lifecycle import TERMINAL
from serve_app.jobs.models import Job
from serve_app.jobs.submit import Accepted, Submission
from serve_app.storage.text import Storable
from serve_app.verticals import rubric_templates
from serve_app.verticals.rubric import CallerRubric

router = APIRouter(prefix="/v1", tags=["jobs"], responses=refusals(Unauthorized, RateLimited))

UPLOAD_ERRORS = (Invalid, InvalidField, MediaUnreadable, NoAudioTrack, MediaEncrypted, MediaTooShort, MediaTooLong)
"""Reasons to refuse an upload with 422."""
JOB_ERRORS = refusals(WrongScope, JobNotFound, InvalidField)
MAX_WAIT_S = 60
RECONNECT_MS = 2000
"""How soon an `EventSource` reconnects after its stream broke. Without it, every browser has its own default."""


@router.post(
    "/{vertical}/jobs",
    status_code=202,
    response_model_exclude_none=True,
    responses=refusals(
        InsufficientCredits, KeyCapReached, WrongScope, VerticalNotFound, FileTooLarge, SourceRefused, *UPLOAD_ERRORS
    ),
    openapi_extra=OPENAPI_FORM,
)
async def submit_job(
    request: Request,
    caller: CurrentCaller,
    spec: PermittedVertical,
    services: Services,
    idempotency_key: Annotated[Storable | None, Header(min_length=1, max_length=255)] = None,
) -> SubmittedJob:
    """Submit a recording. The answer names the job; the result follows. An `Idempotency-Key` makes retries safe.

    Send the recording as `file`, or its address as `source_url`. Of an address the answer has `credits_charged` 0: the
    price is charged when the recording has arrived, and an event says so.
    """
    submission = Submission(caller.actor, spec, idempotency_key=idempotency_key)
    return await accept_upload(request, services, submission)


async def accept_upload(request: Request, services: app_services.Services, submission: Submission) -> SubmittedJob:
    """Read the form of a submit, complete `submission` with it, and make a job of it."""
    submission.actor.must_be(Role.RECRUITER)  # before the recording is read; the service asks again
    await services.dispatcher.prefetch()
    async with submit_form(request, submission.spec) as form:
        fields = form.fields
        if fields.webhook_url is not None:
            check_webhook_url(services, fields.webhook_url, "webhook_url")
        rubric = await saved_rubric(services, submission.actor, fields.rubric_id, fields.rubric)
        submission = replace(
            submission,
            inputs=fields.inputs() | rubric,
            metadata=fields.metadata or {},
            label=fields.label,
            webhook_url=fields.webhook_url,
        )
        if form.upload is not None:
            accepting = services.submitter.submit(submission, form.upload)
        else:
            accepting = services.submitter.submit_source(submission, fields.source_url or "", fields.duration_s)
        # Shielded: Serve cancels the handler when the client disconnects, and an accepted job must still be dispatched.
        return SubmittedJob.of(await asyncio.shield(accepting))


async def saved_rubric(
    services: app_services.Services, actor: Actor, rubric_id: str | None, rubric: CallerRubric | None
) -> dict[str, Any]:
    """The saved rubric as the input `rubric`, or no input without an id. Raises `InvalidField`."""
    if rubric_id is None:
        return {}
    if rubric is not None:
        raise InvalidField("'rubric_id': a 'rubric' was sent, too. Send one of them.", "rubric_id")
    try:
        async with services.database.transaction() as session:
            return {"rubric": (await rubric_templates.get_rubric(session, actor, rubric_id)).as_submitted()}
    except NotFound as error:
        raise InvalidField(f"'rubric_id': {error.message}", "rubric_id") from None


@router.get("/jobs/{job_id}", responses=refusals(WrongScope, JobNotFound, InvalidField))
async def get_job(
    job: ReadableJob,
    services: Services,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait until the job is over.")] = 0,
) -> JobView:
    """Get a job: its state, and its result or error once it is over."""
    if wait:
        await services.feeds.until_over(job.id, wait)
        async with services.database.transaction() as session:
            job = await jobs.get_owned(session, job.account_id, job.id)
    return JobView.of(job)


class NoNewEvents(Exception):
    """The job is over, and the client has received its last event."""


async def get_last_seq(
    job: ReadableJob, services: Services, last_event_id: Annotated[str | None, Header()] = None
) -> int:
    """`seq` of the last event that the client received, 0 for none. Raises `NoNewEvents`."""
    after = int(last_event_id) if last_event_id and re.fullmatch(r"\d{1,9}", last_event_id) else 0
    if after and job.state in TERMINAL:
        async with services.database.transaction() as session:
            newest = await jobs.newest_event(session, job.id)
        if newest is None or newest.seq <= after:
            raise NoNewEvents
    return after


STREAM_ENDS: dict[int | str, dict[str, Any]] = {
    204: {"description": "The job is over and `Last-Event-ID` is its last event. An `EventSource` stops reconnecting."}
}


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=JOB_ERRORS | STREAM_ENDS)
async def stream_job_events(
    job: ReadableJob, services: Services, after: Annotated[int, Depends(get_last_seq)]
) -> AsyncIterator[ServerSentEvent]:
    """Stream the job's events as `text/event-stream`: all past ones, then new ones until the job is over.

    `status` events carry `{"status", "detail", "terminal"}`. `progress` events also carry a percentage. For each review
    by a person a `review` event follows the terminal one. A browser's `EventSource` passes a token from
    `POST /v1/jobs/{job_id}/stream-token` as `?token=`. The first event sets `retry`.
    """
    retry: int | None = RECONNECT_MS
    with suppress(Unavailable):  # the stream ends, and the client resumes it after its last event
        async for event in services.feeds.follow(job.id, after):
            yield ServerSentEvent(event=event.kind, id=str(event.seq), data=event.data, retry=retry)
            retry = None


@router.post("/jobs/{job_id}/stream-token", responses=JOB_ERRORS)
async def create_stream_token(job: OwnedJob, request: Request) -> StreamToken:
    """Create a token that gives read access to this job for an hour. Pass it as `?token=`."""
    token = job_tokens(request).issue(job.id)
    return StreamToken(token=token, expires_in_s=LIFETIME_S, events_url=f"/v1/jobs/{job.id}/events?token={token}")


@router.post("/jobs/{job_id}/cancel", responses=JOB_ERRORS | refusals(Conflict))
async def cancel_job(job: OwnedJob, caller: CurrentCaller, services: Services) -> JobView:
    """Cancel a job that is not over. Its credits are returned unless a model had begun to work on the recording.

    That is the case from the first `processing_inference` on. `credits_returned` of the answer says what came back.
    """
    await cancel(job, caller.actor, services)
    async with services.database.transaction() as session:
        return JobView.of(await jobs.get_owned(session, job.account_id, job.id))


async def cancel(job: Job, actor: Actor, services: app_services.Services) -> None:
    """Cancel a job and delete its input."""
    async with services.database.transaction() as session:
        blob = await settlement.cancel(session, actor, job, services.settings.retention_s)
    await services.blobs.delete(blob)


@router.post(
    "/jobs/{job_id}/retry", status_code=202, response_model_exclude_none=True, responses=JOB_ERRORS | refusals(Conflict)
)
async def retry_job(job: OwnedJob, caller: CurrentCaller, services: Services) -> SubmittedJob:
    """Run a failed job again without a charge. Possible until its `expires_at`."""
    return await retry(job, caller.actor, services)


async def retry(job: Job, actor: Actor, services: app_services.Services) -> SubmittedJob:
    """Queue a failed job again and tell the executors."""
    async with services.database.transaction() as session:
        await settlement.retry(session, actor, job)
        remaining = await ledger.balance(session, actor.account_id)
    await services.dispatcher.notify()
    return SubmittedJob.of(Accepted(job.id, 0, remaining))


@router.delete("/jobs/{job_id}", responses=JOB_ERRORS | refusals(Conflict))
async def delete_job(job: OwnedJob, caller: CurrentCaller, services: Services) -> DeletedJob:
    """Erase a finished job's transcript, assessment and inputs. A receipt with state, times and credits stays."""
    await erase(job, caller.actor, services)
    return DeletedJob(job_id=job.id)


async def erase(job: Job, actor: Actor, services: app_services.Services) -> None:
    """Erase a job and delete its input."""
    async with services.database.transaction() as session:
        blob = await settlement.erase(session, actor, job)
    await services.blobs.delete(blob)
