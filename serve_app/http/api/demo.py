"""Anonymous demos: free, short and limited in number."""

import asyncio

from fastapi import APIRouter, Request
from pydantic import Field

from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.service import get_demo_account
from serve_app.errors import FileTooLarge, InvalidField, NotFound, RateLimited, VerticalNotFound
from serve_app.http.api.jobs import UPLOAD_ERRORS
from serve_app.http.deps import Services, Vertical, client_address, job_tokens
from serve_app.http.openapi import refusals
from serve_app.http.schemas import SubmittedJob
from serve_app.http.upload import OPENAPI_FORM, submit_form
from serve_app.jobs.submit import Submission

router = APIRouter(prefix="/v1/demo", tags=["demo"])


class DemoJob(SubmittedJob):
    """The response to an accepted demo. Its URLs carry a token for this job, since the caller has no key."""

    token: str = Field(description="Gives read access to this job for an hour: pass it as `?token=`.")


@router.post(
    "/{vertical}/jobs",
    status_code=202,
    response_model_exclude_none=True,
    responses=refusals(NotFound, VerticalNotFound, FileTooLarge, *UPLOAD_ERRORS, RateLimited),
    openapi_extra=OPENAPI_FORM,
)
async def submit_demo_job(request: Request, vertical: Vertical, services: Services) -> DemoJob:
    """Try a product without an account. Limited per address and in total. Retry a 429 after `Retry-After`."""
    spec = services.catalog.get(vertical)
    if spec.demo is None:
        raise NotFound(f"Product '{spec.slug}' has no demo. Submit with a key.")
    await services.limiter.hit("demo-address", spec.demo.per_address, client_address(request, services.settings))
    await services.limiter.hit("demo-total", spec.demo.total, spec.slug)
    async with services.database.transaction() as session:
        stranger = Actor(await get_demo_account(session), Role.RECRUITER, "a stranger")
    async with submit_form(request, spec.as_demo()) as form:
        if form.fields.webhook_url is not None:
            raise InvalidField(
                "'webhook_url': demos have no webhooks. Leave it out, or submit with a key.", "webhook_url"
            )
        if form.fields.rubric_id is not None:
            raise InvalidField(
                "'rubric_id': demos have no saved rubrics. Send 'rubric', or submit with a key.", "rubric_id"
            )
        if form.upload is None:
            raise InvalidField("'source_url': demos take files only. Send 'file', or submit with a key.", "source_url")
        submission = Submission(stranger, spec.as_demo(), form.fields.inputs(), label=form.fields.label)
        accepted = await asyncio.shield(services.submitter.submit(submission, form.upload))
    token = job_tokens(request).issue(accepted.job_id)
    job = SubmittedJob.of(accepted)
    urls = {"status_url": f"{job.status_url}?token={token}", "events_url": f"{job.events_url}?token={token}"}
    return DemoJob(**job.model_dump() | urls, token=token)
