"""Every answer names the request it belongs to, so that a client's report can be found in the logs."""

import re
import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """ASGI middleware: keep the id a proxy gave, else make one; send it back.

    Serve's own proxy gives every request an id and puts it on the answer itself (`by_server`): a second header would
    make two ids of one, and what the proxy sends is then the id, whatever it looks like.
    """

    def __init__(self, app: ASGIApp, *, by_server: bool = False) -> None:
        self.app = app
        self.by_server = by_server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Request(scope).headers.get(HEADER, "")
        kept = given and (self.by_server or ACCEPTABLE.fullmatch(given))
        request_id = given if kept else f"req_{secrets.token_hex(10)}"
        scope.setdefault("state", {})["request_id"] = request_id
        if given and self.by_server:
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
