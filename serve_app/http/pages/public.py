"""Pages for people: what the errors mean, what jobs cost, and what the pool is doing."""

import html

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from serve_app.http.deps import Services
from serve_app.http.pages.error_codes import as_html
from serve_app.http.pages.templates import page
from serve_app.verticals.spec import VerticalSpec

router = APIRouter(include_in_schema=False)

DASHBOARD, PRICING = page("dashboard"), page("pricing")


@router.get("/docs/errors", response_class=HTMLResponse)
async def error_page() -> str:
    """Every error code, what it means, and whether to try again."""
    return as_html()


@router.get("/dashboard", response_class=HTMLResponse)
async def dashboard() -> str:
    """The model pool, live."""
    return DASHBOARD


@router.get("/pricing", response_class=HTMLResponse)
async def pricing(services: Services) -> str:
    """Where a 402 leads: what each product costs, and how to get credits."""
    return PRICING.replace("{rows}", "".join(_price_row(spec) for spec in services.catalog))


def _price_row(spec: VerticalSpec) -> str:
    free = f"{spec.demo.max_duration_s / 60:.0f} min, {spec.demo.per_address}" if spec.demo else "none"
    limits = f"{spec.input.max_bytes // 1_000_000} MB, {spec.input.max_duration_s / 3600:.0f} h"
    cells = (spec.title, f"{spec.price.credits_per_minute} a started minute", limits, free)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
