"""Builds the FastAPI app over the services. Ray Serve runs it, and so does a test client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response

from serve_app.http import errors, openapi
from serve_app.http.api import (
    assessments,
    demo,
    events,
    health,
    job_list,
    jobs,
    keys,
    model_pool,
    prices,
    quotes,
    reviews,
    rubrics,
    scorecards,
    transcripts,
    usage,
    webhooks,
)
from serve_app.http.api import credits as credits_api
from serve_app.http.body_limit import BodyLimit
from serve_app.http.cross_origin import CrossOrigin
from serve_app.http.pages import (
    account,
    api_docs,
    audit_log,
    compare,
    erasure,
    finished_interviews,
    interview_list,
    interviews,
    members,
    playground,
    pool,
    public,
    sending,
    settings,
    shared,
    sign_in,
    templates,
)
from serve_app.http.pages import demo as demo_pages
from serve_app.http.pages import keys as key_pages
from serve_app.http.pages import rubrics as rubric_pages
from serve_app.http.pages import usage as usage_page
from serve_app.http.pages import webhooks as webhook_pages
from serve_app.http.pages.form_tokens import FormTokens
from serve_app.http.pages.visitors import SignedOut
from serve_app.http.request_id import RequestId
from serve_app.http.tokens import JobTokens, ShareTokens
from serve_app.services import Services

DESCRIPTION = """
Upload an interview recording and a role title. Asynchronously get back a speaker-labelled transcript, talk metrics and
a scored assessment.

Send `Authorization: Bearer lv_sk_…` with every request except the demo, `/healthz` and the public model status.
"""
ROUTERS = (
    assessments.router,
    credits_api.router,
    demo.router,
    events.router,
    health.router,
    job_list.router,
    jobs.router,
    keys.router,
    model_pool.router,
    prices.router,
    quotes.router,
    rubrics.router,
    scorecards.router,
    reviews.router,
    transcripts.router,
    usage.router,
    webhooks.router,
    api_docs.router,
    compare.router,
    finished_interviews.router,
    interview_list.router,
    interviews.router,
    key_pages.router,
    account.router,
    audit_log.router,
    erasure.router,
    members.router,
    public.router,
    sending.router,
    settings.router,
    shared.router,
    sign_in.router,
    demo_pages.router,
    playground.router,
    pool.router,
    rubric_pages.router,
    usage_page.router,
    webhook_pages.router,
)


def create_app(services: Services, *, ids_by_server: bool = False) -> FastAPI:
    """The whole app. Closes `services` on shutdown. With `ids_by_server` the server in front sets request ids."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await services.close()

    app = FastAPI(
        title="RecruitScreen API",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # pages/api_docs.py serves /docs without loading anything from other hosts
        redoc_url=None,
        redirect_slashes=False,  # the redirect would follow the Host header to any host
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.services = services
    app.state.form_tokens = FormTokens(services.settings.secret_key.get_secret_value())
    app.state.share_tokens = ShareTokens(services.settings.secret_key.get_secret_value())
    app.state.tokens = JobTokens(services.settings.secret_key.get_secret_value())
    app.add_middleware(BodyLimit)
    app.add_middleware(CrossOrigin, origins=services.settings.cors_origins)
    app.add_middleware(RequestId, by_server=ids_by_server)
    errors.install(app)
    app.add_exception_handler(jobs.NoNewEvents, lambda *_: Response(status_code=204))
    app.add_exception_handler(SignedOut, sign_in.ask_to_sign_in)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/docs/assets", api_docs.ASSETS)
    app.mount("/static", templates.STATIC)
    openapi.install(app)
    return app
