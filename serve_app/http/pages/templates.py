"""Renders the templates of `serve_app/web` with Jinja2, every value escaped, and sets the policy a browser enforces."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from serve_app.pipeline.exports import clock

WEB = Path(__file__).parents[2] / "web"
STATIC = StaticFiles(directory=WEB / "static")
"""Style sheet and scripts, mounted at `/static`."""
BASE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
FORM_POLICY = f"{BASE_POLICY}; style-src 'self'"
"""For pages without scripts."""
SCRIPT_POLICY = f"{FORM_POLICY}; script-src 'self'; connect-src 'self'"
"""For pages whose script, a file of ours, reads the API."""
MEDIA_POLICY = f"{SCRIPT_POLICY}; media-src blob:"
"""For pages that play or measure a file of the reader's own machine."""
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
"""Headers of pages that hold an account's data."""


def _minute(moment: datetime | None) -> str:
    """A time to the minute, or a dash."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"


_templates = Environment(
    loader=FileSystemLoader(WEB / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"minute": _minute, "clock": clock}


def render(
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    policy: str = FORM_POLICY,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A page. Raises jinja2's `UndefinedError` when the template names a value that `context` lacks."""
    text = _templates.get_template(template).render(context or {})
    fixed = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(text, status, fixed | (headers or {}))
