"""Build the FastAPI app over a bundle of services. Ray serves it, and so can a test client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response

from serve_app.http import errors, openapi
from serve_app.http.api import credits as account_credits
from serve_app.http.api import demo, health, jobs, keys, quotes, transcripts
from serve_app.http.api import model_pool as models
from serve_app.http.body_limit import BodyLimit
from serve_app.http.pages import api_docs, templates
from serve_app.http.pages import keys as key_pages
from serve_app.http.pages import public as pages
from serve_app.http.pages.sessions import Sessions
from serve_app.http.request_id import RequestId
from serve_app.http.tokens import JobTokens
from serve_app.services import Services

DESCRIPTION = """
Upload an interview recording and a role title; get back, asynchronously, a speaker-labelled transcript, talk metrics
and a scored assessment.

Send `Authorization: Bearer lv_sk_…` with every request except the public model status.
"""


def create_app(services: Services, *, ids_by_server: bool = False) -> FastAPI:
    """The whole API. Closes `services` on shutdown. `ids_by_server`: the server in front names requests itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await services.close()

    app = FastAPI(
        title="RecruitScreen API",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # ours is at the same place and loads nothing from elsewhere
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.services = services
    app.state.sessions = Sessions(services.settings.secret_key.get_secret_value())
    app.state.tokens = JobTokens(services.settings.secret_key.get_secret_value())
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestId, by_server=ids_by_server)
    errors.install(app)
    app.add_exception_handler(jobs.NothingMore, lambda *_: Response(status_code=204))
    app.add_exception_handler(key_pages.SignedOut, lambda *_: key_pages.sign_in_page())
    for routes in (account_credits, api_docs, demo, health, jobs, key_pages, keys, models, pages, quotes, transcripts):
        app.include_router(routes.router)
    app.mount("/docs/assets", api_docs.ASSETS)
    app.mount("/static", templates.STATIC)
    openapi.install(app)
    return app
