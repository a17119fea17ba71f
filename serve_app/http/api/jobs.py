"""Submit jobs, look at them, follow them, end them."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

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
    RateLimited,
    Unauthorized,
    VerticalNotFound,
    WrongScope,
)
from serve_app.http.deps import CurrentCaller, OpenedVertical, OwnedJob, ReadableJob, Services, tokens
from serve_app.http.openapi import refusals
from serve_app.http.schemas import DeletedJob, JobSummary, JobView, Listed, StreamToken, SubmittedJob
from serve_app.http.tokens import LIFETIME_S
from serve_app.http.upload import OPENAPI_FORM, submit_form
from serve_app.jobs import queries as jobs
from serve_app.jobs import settlement
from serve_app.jobs.lifecycle import TERMINAL
from serve_app.jobs.models import JobState
from serve_app.jobs.queries import Accepted, Filter
from serve_app.jobs.submit import Draft, Intake
from serve_app.storage.pagination import Limit, Position
from serve_app.storage.text import Storable

router = APIRouter(prefix="/v1", tags=["jobs"], responses=refusals(Unauthorized, RateLimited))

UNUSABLE = (Invalid, InvalidField, MediaUnreadable, NoAudioTrack, MediaEncrypted, MediaTooShort, MediaTooLong)
"""Why an upload can be refused with 422."""
ON_A_JOB = refusals(WrongScope, JobNotFound, InvalidField)
LONGEST_WAIT_S = 60
RECONNECT_MS = 2000
"""When an `EventSource` whose stream broke comes back; without a word from us each browser has its own idea."""


class ListQuery(BaseModel):
    """Which jobs to list. A misspelt filter is refused, since it would list everything."""

    model_config = ConfigDict(extra="forbid")

    status: JobState | None = None
    vertical: Annotated[Storable, Field(max_length=64)] | None = None
    limit: Limit = 20
    cursor: Annotated[str, Field(max_length=500)] | None = None


@router.post(
    "/{vertical}/jobs",
    status_code=202,
    responses=refusals(InsufficientCredits, KeyCapReached, WrongScope, VerticalNotFound, FileTooLarge, *UNUSABLE),
    openapi_extra=OPENAPI_FORM,
)
async def submit(
    request: Request,
    caller: CurrentCaller,
    spec: OpenedVertical,
    services: Services,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> SubmittedJob:
    """Upload a recording; returns at once, the work is asynchronous. Send an `Idempotency-Key` to retry safely."""
    await services.queue.expect()
    async with submit_form(request, spec) as form:
        fields = form.fields
        draft = Draft(caller.account_id, caller.key.id, spec, fields.inputs(), fields.metadata or {}, idempotency_key)
        intake = Intake(services.database, services.blobs, services.queue)
        # Shielded: Serve cancels the handler of a client that hangs up, which must not tear charge and job apart.
        return SubmittedJob.of(await asyncio.shield(intake.take(draft, form.upload)))


@router.get("/jobs", responses=refusals(InvalidField))
async def listed(
    caller: CurrentCaller,
    services: Services,
    wanted: Annotated[ListQuery, Query()],
) -> Listed[JobSummary]:
    """The account's jobs, newest first."""
    scope = None if caller.key.opens_all else caller.key.scope
    async with services.database.transaction() as session:
        page = await jobs.listed(
            session,
            caller.account_id,
            Filter(wanted.status, scope or wanted.vertical),
            Position.read(wanted.cursor),
            wanted.limit,
        )
    return Listed(
        data=[JobSummary.of(job) for job in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


@router.get("/jobs/{job_id}", responses=refusals(WrongScope, JobNotFound, InvalidField))
async def show(
    job: ReadableJob,
    services: Services,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for the job's end.")] = 0,
) -> JobView:
    """A job's state, and its result or error once it is over."""
    if wait:
        await services.feeds.until_over(job.id, wait)
        async with services.database.transaction() as session:
            job = await jobs.owned(session, job.account_id, job.id)
    return JobView.of(job)


class NothingMore(Exception):
    """The job is over, and the caller has heard how."""


async def heard(job: ReadableJob, services: Services, last_event_id: Annotated[str | None, Header()] = None) -> int:
    """The number of the last event that the caller knows. Raises `NothingMore`."""
    after = int(last_event_id) if last_event_id and re.fullmatch(r"\d{1,9}", last_event_id) else 0
    if after and job.state in TERMINAL:
        async with services.database.transaction() as session:
            newest = await jobs.newest_event(session, job.id)
        if newest is None or newest.seq <= after:
            raise NothingMore
    return after


STREAM_ENDS: dict[int | str, dict[str, Any]] = {
    204: {"description": "The job is over and `Last-Event-ID` is its last event: an `EventSource` stops reconnecting."}
}


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=ON_A_JOB | STREAM_ENDS)
async def events(
    job: ReadableJob, services: Services, after: Annotated[int, Depends(heard)]
) -> AsyncIterator[ServerSentEvent]:
    """The job's whole history, then what happens next, as `text/event-stream`; ends with the job.

    `status` events carry `{"status", "detail", "terminal"}`; `progress` events carry a percentage beside them.
    A browser's `EventSource` passes a token from `POST /v1/jobs/{job_id}/stream-token` as `?token=`; its time to
    reconnect, `retry`, comes with the first event.
    """
    retry: int | None = RECONNECT_MS
    async for event in services.feeds.follow(job.id, after):
        yield ServerSentEvent(event=event.kind, id=str(event.seq), data=event.data, retry=retry)
        retry = None


@router.post("/jobs/{job_id}/stream-token", responses=ON_A_JOB)
async def stream_token(job: OwnedJob, request: Request) -> StreamToken:
    """A token that opens this job's state and events for an hour, in the query of the address."""
    token = tokens(request).issue(job.id)
    return StreamToken(token=token, expires_in_s=LIFETIME_S, events_url=f"/v1/jobs/{job.id}/events?token={token}")


@router.post("/jobs/{job_id}/cancel", responses=ON_A_JOB | refusals(Conflict))
async def cancel(job: OwnedJob, services: Services) -> JobView:
    """Stop a job that is not over. Its credits are released if no work on it had begun."""
    async with services.database.transaction() as session:
        blob = await settlement.cancel(session, job, services.settings.retention_s)
    await services.blobs.delete(blob)
    async with services.database.transaction() as session:
        return JobView.of(await jobs.owned(session, job.account_id, job.id))


@router.post("/jobs/{job_id}/retry", status_code=202, responses=ON_A_JOB | refusals(Conflict))
async def retry(job: OwnedJob, caller: CurrentCaller, services: Services) -> SubmittedJob:
    """Run a failed job again, free of charge, until its `expires_at`."""
    async with services.database.transaction() as session:
        await settlement.retry(session, job)
        remaining = await ledger.balance(session, caller.account_id)
    await services.queue.hint(job.id)
    return SubmittedJob.of(Accepted(job.id, 0, remaining))


@router.delete("/jobs/{job_id}", responses=ON_A_JOB | refusals(Conflict))
async def delete(job: OwnedJob, services: Services) -> DeletedJob:
    """Erase a finished job's transcript, assessment and inputs; state, times and credits stay as a receipt."""
    async with services.database.transaction() as session:
        blob = await settlement.erase(session, job)
    await services.blobs.delete(blob)
    return DeletedJob(job_id=job.id)
