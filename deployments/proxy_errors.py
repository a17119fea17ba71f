"""What Serve's own proxy says when it cannot reach the application, in the form of our errors.

Serve answers for itself, in plain text or not at all, when a request waits too long, no ingress replica is there or one
dies with a request. Ray puts this in front of its proxy where the environment says
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=deployments.proxy_errors:middlewares`.
The application's own refusals are JSON and pass as they are.
"""

import json
import secrets

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.errors import Unavailable
from serve_app.http.errors import body_of, describe
from serve_app.http.request_id import HEADER
from serve_app.settings import Settings


def middlewares() -> list[Middleware]:
    """What Serve asks for when the proxy starts."""
    return [Middleware(ProxyErrors, settings=Settings())]  # pydantic-settings fills the fields


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
    """One answer on its way, exchanged for ours where it is Serve's."""

    def __init__(self, send: Send, settings: Settings) -> None:
        self._send = send
        self._settings = settings
        self._replaced = False
        self.begun = False

    async def send(self, message: Message) -> None:
        """Pass the application's messages on; of Serve's, keep the headers that say when to come back."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            if message["status"] >= 400 and not headers.get("content-type", "").startswith("application/json"):
                await self.replace(headers)
                return
            self.begun = True
        if not self._replaced:
            await self._send(message)

    async def replace(self, given: MutableHeaders) -> None:
        """Say that the service is unavailable."""
        self.begun = self._replaced = True
        request_id = given.get(HEADER) or f"req_{secrets.token_hex(10)}"
        body = json.dumps(body_of(self._settings, request_id, describe(Unavailable(), self._settings))).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), HEADER: request_id}
        headers |= {"Retry-After": given.get("retry-after") or "1"}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": Unavailable.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})
