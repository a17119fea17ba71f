"""Quotes: price and expected duration of a job, without a charge."""

from fastapi import APIRouter, Request

from serve_app.credits.ledger import credits_for
from serve_app.errors import FileTooLarge, RateLimited, Unauthorized, VerticalNotFound, WrongScope
from serve_app.http.api.jobs import UPLOAD_ERRORS
from serve_app.http.deps import PermittedVertical, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import QuoteView
from serve_app.http.upload import OPENAPI_QUOTE, quote_form
from serve_app.jobs import duration_estimate
from serve_app.model_pool.models import ModelState
from serve_app.pipeline.resample import check_length

router = APIRouter(
    prefix="/v1",
    tags=["jobs"],
    responses=refusals(Unauthorized, WrongScope, VerticalNotFound, FileTooLarge, *UPLOAD_ERRORS, RateLimited),
)


@router.post("/{vertical}/quote", openapi_extra=OPENAPI_QUOTE)
async def quote_job(request: Request, spec: PermittedVertical, services: Services) -> QuoteView:
    """Get the price and the expected duration of a job. Send `duration_s` or the recording, which is not kept."""
    async with quote_form(request, spec) as upload:
        if isinstance(upload, float):
            check_length(upload, spec.input.max_duration_s)
            duration_s = sound_s = upload
        else:
            media = await services.submitter.probe(spec, upload)
            duration_s, sound_s = media.duration_s, media.sound_s
    status = await services.pool.status()
    async with services.database.transaction() as session:
        work_s = await duration_estimate.expected_s(session, spec.slug, duration_s)
    cold = [model for model in status.models if model.state is not ModelState.WARM]
    load_s = max((model.load_s_p50 or 0.0 for model in cold), default=0.0)  # models load in parallel
    return QuoteView(
        credits=credits_for(sound_s, spec.price.credits_per_minute),
        duration_s=round(duration_s, 1),
        expected_s=round(work_s + load_s, 1),
        cold=bool(cold),
    )
