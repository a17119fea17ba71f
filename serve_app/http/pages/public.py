"""Pages that need no key: home, error codes and prices."""

import json

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app.http.deps import Services
from serve_app.http.pages.error_codes import rows
from serve_app.http.pages.templates import PRIVATE, WEB, render
from serve_app.http.pages.visitors import HOME, PossibleVisitor

router = APIRouter(include_in_schema=False)

SAMPLE = json.loads((WEB / "sample_scorecard.json").read_text("utf-8"))
"""The scorecard on the home page. `scripts/screenshots --sample-picture` writes it from a real run."""


@router.get("/")
async def show_home(visitor: PossibleVisitor, services: Services) -> Response:
    """What this is, what comes out, and the way in. Somebody who is signed in goes on to the interviews."""
    if visitor:
        return RedirectResponse(HOME, 303, PRIVATE)
    return render("home.html", {"sample": SAMPLE, "demo": any(spec.demo for spec in services.catalog)})


@router.get("/docs/errors")
async def show_error_codes() -> HTMLResponse:
    """Every error code, its meaning, and whether a retry can succeed."""
    return render("error_codes.html", {"rows": rows()})


@router.get("/pricing")
async def show_pricing(services: Services) -> HTMLResponse:
    """The page a 402 links to: what each product costs, and how to get credits."""
    return render("pricing.html", {"products": list(services.catalog)})
