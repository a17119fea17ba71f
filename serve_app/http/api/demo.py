"""Anonymous demos: free, short, and few."""

import asyncio

from fastapi import APIRouter, Request
from pydantic import Field

from serve_app.accounts.service import demo_account
from serve_app.errors import FileTooLarge, NotFound, RateLimited, VerticalNotFound
from serve_app.http.api.jobs import UNUSABLE
from serve_app.http.deps import Services, client_address, tokens
from serve_app.http.openapi import refusals
from serve_app.http.schemas import SubmittedJob
from serve_app.http.upload import OPENAPI_FORM, submit_form
from serve_app.jobs.submit import Draft, Intake

router = APIRouter(prefix="/v1/demo", tags=["demo"])


class DemoJob(SubmittedJob):
    """The 202 of a demo. Nobody has a key for it, so its addresses carry a token that opens this job alone."""

    token: str = Field(description="Opens status_url and events_url as `?token=` for an hour.")


@router.post(
    "/{vertical}/jobs",
    status_code=202,
    responses=refusals(NotFound, VerticalNotFound, FileTooLarge, *UNUSABLE, RateLimited),
    openapi_extra=OPENAPI_FORM,
)
async def submit(request: Request, vertical: str, services: Services) -> DemoJob:
    """Try a product without an account. Limited per address and in total; 429 says when to try again."""
    spec = services.catalog.get(vertical)
    if spec.demo is None:
        raise NotFound("This product has no demo.")
    await services.limiter.hit("demo-address", spec.demo.per_address, client_address(request, services.settings))
    await services.limiter.hit("demo-total", spec.demo.total, spec.slug)
    async with services.database.transaction() as session:
        account_id = await demo_account(session)
    async with submit_form(request, spec.as_demo()) as form:
        draft = Draft(account_id, None, spec.as_demo(), form.fields.inputs())
        intake = Intake(services.database, services.blobs, services.queue)
        accepted = await asyncio.shield(intake.take(draft, form.upload))
    token = tokens(request).issue(accepted.job_id)
    job = SubmittedJob.of(accepted)
    urls = {"status_url": f"{job.status_url}?token={token}", "events_url": f"{job.events_url}?token={token}"}
    return DemoJob(**job.model_dump() | urls, token=token)
