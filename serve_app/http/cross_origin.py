"""CORS: pages of other origins may call the API from a browser, with a key or a stream token.

Cookies are never allowed across origins, so a page gains nothing that its own key or token does not give it. The pages
of the web app, which know their visitors by cookies, are left out.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "POST", "PATCH", "DELETE")
REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-Id")
RESPONSE_HEADERS = (
    "Content-Disposition", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id",
)  # fmt: skip
"""Headers that a page's script may read."""
PREFLIGHT_S = 24 * 3600
"""How long a browser may remember the answer to a preflight. Browsers cap it themselves, Chromium at two hours."""


class _Cors(CORSMiddleware):
    def preflight_response(self, request_headers: Headers) -> Response:
        """Refuse by what the headers leave out, as browsers read it: Starlette's 400 is not one of our errors."""
        response = super().preflight_response(request_headers)
        response.status_code = 200
        return response


class CrossOrigin:
    """ASGI middleware: Starlette's CORS for `/v1/` and the OpenAPI document, and for nothing else."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app = app
        self._with_cors = _Cors(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
            allow_credentials=False,
            allow_private_network=True,  # self-hosted APIs often have a private address
            max_age=PREFLIGHT_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["type"] == "http" and (scope["path"].startswith("/v1/") or scope["path"] == "/openapi.json")
        await (self._with_cors if public else self.app)(scope, receive, send)
