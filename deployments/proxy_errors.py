"""Replaces the errors of Serve's own proxy by errors in the form of this API.

Serve answers in plain text, or not at all, when a request waits too long, no ingress replica is there, or one
dies during a request. Ray adds this middleware to its proxy where the environment says
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=deployments.proxy_errors:middlewares`.
The application's own errors are JSON or HTML, never plain text, and pass unchanged.
"""

import json
import secrets

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http_parser import parse_with_h11
from serve_app.errors import Unavailable
from serve_app.http.cross_origin import CrossOrigin
from serve_app.http.errors import body_of, describe
from serve_app.http.request_id import HEADER
from serve_app.settings import Settings


def middlewares() -> list[Middleware]:
    """The middlewares of the proxy. Serve calls this when the proxy starts, before its HTTP server."""
    parse_with_h11()
    settings = Settings()  # pydantic-settings fills the fields
    # Serve puts the last one outermost. The application answers with CORS headers itself; here they make Serve's own
    # errors readable for pages of other origins.
    return [Middleware(ProxyErrors, settings=settings), Middleware(CrossOrigin, origins=settings.cors_origins)]


class ProxyErrors:
    """ASGI middleware around Serve's proxy."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/-/"):  # Serve's health and routes, for operators
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, self.settings)
        await self.app(scope, receive, answer.send)
        if not answer.begun:  # the replica died with the request
            await answer.replace(MutableHeaders())


class _Answer:
    """One response; replaced if it is Serve's own error."""

    def __init__(self, send: Send, settings: Settings) -> None:
        self._send = send
        self._settings = settings
        self._replaced = False
        self.begun = False

    async def send(self, message: Message) -> None:
        """Pass the application's messages on. Replace Serve's own errors, but keep their Retry-After and request id."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if message["status"] >= 400 and headers.get("content-type", "text/plain").startswith("text/plain"):
                await self.replace(headers)
                return
            self.begun = True
        if not self._replaced:
            await self._send(message)

    async def replace(self, headers_of_serve: MutableHeaders) -> None:
        """Send 503 `unavailable` in place of Serve's response."""
        self.begun = self._replaced = True
        request_id = headers_of_serve.get(HEADER) or f"req_{secrets.token_hex(10)}"
        body = json.dumps(body_of(self._settings, request_id, describe(Unavailable(), self._settings))).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), HEADER: request_id}
        headers |= {"Retry-After": headers_of_serve.get("retry-after") or "1"}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": Unavailable.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})
