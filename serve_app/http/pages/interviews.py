"""The pages of a recruiter: a new interview, and one interview live, as a scorecard, or as what is left of it.

What a page does is done by the API's own routes, as the visitor.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app.accounts import preferences
from serve_app.accounts.actors import Role
from serve_app.credits import ledger
from serve_app.http.api import jobs as jobs_api
from serve_app.http.api.quotes import quote_job
from serve_app.http.deps import Services, job_tokens
from serve_app.http.pages.finished_interviews import Interview, show_scorecard
from serve_app.http.pages.templates import MEDIA_POLICY, PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormSender, ScriptSender
from serve_app.http.schemas import QuoteView, SubmittedJob
from serve_app.jobs.lifecycle import TERMINAL
from serve_app.jobs.submit import Submission
from serve_app.verticals import rubric_templates
from serve_app.verticals.spec import VerticalSpec

router = APIRouter(prefix="/interviews", include_in_schema=False)


async def get_product(services: Services, product: Annotated[str, Query(max_length=64)] = "") -> VerticalSpec:
    """The product that is named, or the first one. Raises `VerticalNotFound`."""
    return services.catalog.get(product or next(iter(services.catalog)).slug)


Product = Annotated[VerticalSpec, Depends(get_product)]


@router.get("/new")
async def show_new_interview(
    visitor: CurrentVisitor,
    services: Services,
    product: Product,
    rubric_id: Annotated[str | None, Query(max_length=32)] = None,
) -> HTMLResponse:
    """The form of a new interview. `rubric_id` is chosen in it, or else the account's default."""
    visitor.actor.must_be(Role.RECRUITER)
    async with services.database.transaction() as session:
        balance = await ledger.balance(session, visitor.account_id)
        wanted = await preferences.get(session, visitor.account_id)
        rubrics = await rubric_templates.list_rubrics(session, visitor.actor)
    context = {
        "visitor": visitor, "product": product, "products": list(services.catalog), "balance": balance,
        "consent": wanted.consent, "rubrics": rubrics,
        "rubric_id": wanted.default_rubric_id if rubric_id is None else rubric_id,
    }  # fmt: skip
    return render("new_interview.html", context, policy=MEDIA_POLICY, headers=PRIVATE)


async def begin_submission(
    visitor: ScriptSender,
    services: Services,
    product: Product,
    consent: Annotated[str, Query(max_length=64)] = "",
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Submission:
    """What a submit says beside its form. `consent` names the text that the visitor has confirmed."""
    visitor.actor.must_be(Role.RECRUITER)
    async with services.database.transaction() as session:
        wanted = await preferences.get(session, visitor.account_id)
    return Submission(
        visitor.actor,
        product,
        idempotency_key=idempotency_key,
        consent_text=wanted.consent.confirmed_by(consent),
    )


@router.post("", status_code=202)
async def submit_interview(
    request: Request, services: Services, submission: Annotated[Submission, Depends(begin_submission)]
) -> SubmittedJob:
    """Accept a recording from the form's script."""
    return await jobs_api.accept_upload(request, services, submission)


@router.post("/quote")
async def quote_interview(request: Request, visitor: ScriptSender, services: Services, product: Product) -> QuoteView:
    """Price and expected time of a recording that the form's script has measured."""
    visitor.actor.must_be(Role.RECRUITER)
    return await quote_job(request, product, services)


@router.get("/{job_id}")
async def show_interview(
    request: Request, visitor: CurrentVisitor, services: Services, interview: Interview
) -> HTMLResponse:
    """One interview: live until it is over, then its scorecard, or why there is none."""
    if interview.result is not None:
        return await show_scorecard(visitor, services, interview)
    context = {"visitor": visitor, "interview": interview, "product": services.catalog.get(interview.vertical)}
    if interview.state in TERMINAL:
        return render("ended_interview.html", context, headers=PRIVATE)
    token = job_tokens(request).issue(interview.id)
    context["events_url"] = f"/v1/jobs/{interview.id}/events?token={token}"
    return render("live_interview.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.post("/{job_id}/cancel")
async def cancel_interview(visitor: FormSender, services: Services, interview: Interview) -> Response:
    """Stop an interview that is not over."""
    await jobs_api.cancel(interview, visitor.actor, services)
    return _to(interview.id)


@router.post("/{job_id}/retry")
async def retry_interview(visitor: FormSender, services: Services, interview: Interview) -> Response:
    """Run a failed interview again."""
    await jobs_api.retry(interview, visitor.actor, services)
    return _to(interview.id)


@router.post("/{job_id}/delete")
async def delete_interview(visitor: FormSender, services: Services, interview: Interview) -> Response:
    """Erase what is stored of an interview that is over."""
    await jobs_api.erase(interview, visitor.actor, services)
    return _to("")


def _to(job_id: str) -> RedirectResponse:
    return RedirectResponse(f"/interviews/{job_id}".rstrip("/"), 303, PRIVATE)
