"""`/docs`: Swagger UI over the OpenAPI document, out of an installed package; the browser asks no other host.

Of fastapi_offline only its copy of Swagger UI's files is used. FastAPI's own page takes them from a CDN and starts them
by a script inside the page, which the policy here forbids.
"""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from serve_app.http.pages.templates import WEB

router = APIRouter(include_in_schema=False)

ASSETS = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")
PAGE = (WEB / "docs.html").read_text("utf-8")
START = """\
SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, showExtensions: true, validatorUrl: null,
})
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' "
    "data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


@router.get("/docs")
async def page() -> HTMLResponse:
    """Every operation, to read and to try."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})


@router.get("/docs/start.js")
async def start() -> Response:
    """What the page runs."""
    return Response(START, media_type="text/javascript")
