"""Pages for people: what the errors mean, and what the pool is doing."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from serve_app.http.error_page import as_html

router = APIRouter(include_in_schema=False)

DASHBOARD = (Path(__file__).parents[2] / "web" / "dashboard.html").read_text("utf-8")


@router.get("/docs/errors", response_class=HTMLResponse)
async def error_page() -> str:
    """Every error code, what it means, and whether to try again."""
    return as_html()


@router.get("/dashboard", response_class=HTMLResponse)
async def dashboard() -> str:
    """The model pool, live."""
    return DASHBOARD
