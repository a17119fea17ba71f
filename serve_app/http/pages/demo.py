"""The demo for strangers: upload a short recording without an account, watch it, read the result.

The upload goes to the API's own demo route, with its limits. The token that it answers opens the pages of that job for
an hour, and no other page.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse

from serve_app.accounts.service import DEMO_ACCOUNT
from serve_app.errors import JobNotFound, NotFound
from serve_app.http.deps import Services, job_tokens
from serve_app.http.pages.scorecard import Scorecard
from serve_app.http.pages.templates import MEDIA_POLICY, PRIVATE, SCRIPT_POLICY, render
from serve_app.jobs import queries as jobs
from serve_app.verticals.catalog import Catalog
from serve_app.verticals.spec import VerticalSpec

router = APIRouter(prefix="/try", include_in_schema=False)


@router.get("")
async def show_demo(services: Services) -> HTMLResponse:
    """The form of a demo."""
    days = -(-services.settings.retention_s // 86400)
    return render("demo.html", {"product": demo_product(services.catalog), "days": days}, policy=MEDIA_POLICY)


@router.get("/sample.ogg")
async def download_sample(services: Services) -> FileResponse:
    """The bundled interview, for those who have no recording at hand. Its text was written for it."""
    return FileResponse(services.settings.config_dir / "sample" / "interview.ogg", media_type="audio/ogg")


@router.get("/{job_id}")
async def show_demo_job(
    request: Request, services: Services, job_id: str, token: Annotated[str, Query(max_length=500)] = ""
) -> HTMLResponse:
    """A demo, live until it is over. Raises `Unauthorized` for an old token, and `JobNotFound` for another job's."""
    if job_tokens(request).job_id(token) != job_id:
        raise JobNotFound
    async with services.database.transaction() as session:
        job = await jobs.get_owned(session, DEMO_ACCOUNT, job_id)
    context = {"interview": job, "events_url": f"/v1/jobs/{job_id}/events?token={token}"}
    if job.result is not None:
        context |= {"card": Scorecard(job.result), "result": job.result}
        return render("demo_result.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)
    return render("demo_live.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


def demo_product(catalog: Catalog) -> VerticalSpec:
    """The first product that has a demo, with the limits of the demo. Raises `NotFound`."""
    spec = next((spec for spec in catalog if spec.demo is not None), None)
    if spec is None:
        raise NotFound("No product here has a demo. Sign in to submit a recording.")
    return spec.as_demo()
