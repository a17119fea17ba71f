"""`/docs`: Swagger UI over the OpenAPI document, served from an installed package. The browser contacts no other host.

Only the Swagger UI files of fastapi_offline are used. FastAPI's own page loads them from a CDN and starts them with an
inline script, which the policy here forbids.
"""

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from serve_app.http.pages.templates import BASE_POLICY, render

router = APIRouter(include_in_schema=False)

ASSETS = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")
"""Files of Swagger UI, mounted at `/docs/assets`."""
POLICY = (
    f"{BASE_POLICY}; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'"
)
"""Swagger UI sets inline styles and data: images."""


@router.get("/docs")
async def show_api_docs() -> HTMLResponse:
    """Every operation, to read and to try."""
    return render("api_docs.html", policy=POLICY)
