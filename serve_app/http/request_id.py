"""Request ids: every response carries one, and the logs name it."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """ASGI middleware: keeps the request's own X-Request-Id, else creates one, and sends it with the response.

    Serve's proxy gives every request an id and adds it to the response itself (`by_server`). Then the middleware keeps
    the id in any form and adds no second header.
    """

    def __init__(self, app: ASGIApp, *, by_server: bool = False) -> None:
        self.app = app
        self.by_server = by_server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = Request(scope).headers.get(HEADER, "")
        keep = received and (self.by_server or ACCEPTABLE.fullmatch(received))
        request_id = received if keep else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id
        if received and self.by_server:
            await self.app(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


def request_id(request: Request) -> str:
    """The id of this request."""
    return str(getattr(request.state, "request_id", ""))
