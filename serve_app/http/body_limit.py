"""How much of a body is read: a declared length over the limit is refused unread, any other once it is over.

A request may carry a small document. A route that takes recordings allows its product's size, after the key was
checked: a stranger is told about the key, whatever the length, and a product's own limit holds while its bytes arrive.
An answer that leaves much unread ends the connection: the server would swallow the rest, which may be endless.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL_BYTES = 1_000_000
"""What a request may carry where nothing larger was allowed."""


class BodyLimit:
    """ASGI middleware: nothing behind it reads more of a body than is allowed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = _Body(Request(scope).headers, receive, send)
            scope.setdefault("state", {})["body"] = body
            receive, send = body.receive, body.send
        await self.app(scope, receive, send)


def allow(request: Request, most_bytes: int) -> None:
    """Let the rest of this request read so much."""
    body: _Body = request.state.body
    body.most_bytes = most_bytes


class _Body:
    """A body that counts."""

    def __init__(self, headers: Headers, receive: Receive, send: Send) -> None:
        self.most_bytes = SMALL_BYTES
        length = headers.get("content-length", "")
        self._declared = int(length) if length.isdecimal() else 0
        self._ended = not self._declared and "transfer-encoding" not in headers
        self._receive = receive
        self._send = send
        self._read = 0

    async def receive(self) -> Message:
        """The next piece. Raises 413 as the framework's own exception, the one kind its body readers let through."""
        self._check(self._declared)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        self._check(self._read)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on; see the module's docstring."""
        if message["type"] == "http.response.start" and self._much_is_left():
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    def _check(self, length: int) -> None:
        if length > self.most_bytes:
            raise HTTPException(413)

    def _much_is_left(self) -> bool:
        return not self._ended and (not self._declared or self._declared - self._read > SMALL_BYTES)
