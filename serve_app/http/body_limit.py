"""How much of a body is read: a declared length over the limit is refused unread, any other once it is over.

A request may carry a small document. A route that takes recordings allows its product's size, after the key was
checked: a stranger is told about the key, whatever the length, and a product's own limit holds while its bytes arrive.
"""

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
            body = _Body(Request(scope).headers.get("content-length", ""), receive)
            scope.setdefault("state", {})["body"] = body
            receive = body.receive
        await self.app(scope, receive, send)


def allow(request: Request, most_bytes: int) -> None:
    """Let the rest of this request read so much."""
    body: _Body = request.state.body
    body.most_bytes = most_bytes


class _Body:
    """A body that counts."""

    def __init__(self, declared: str, receive: Receive) -> None:
        self.most_bytes = SMALL_BYTES
        self._declared = int(declared) if declared.isdecimal() else 0
        self._receive = receive
        self._read = 0

    async def receive(self) -> Message:
        """The next piece. Raises 413 as the framework's own exception, the one kind its body readers let through."""
        self._check(self._declared)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._check(self._read)
        return message

    def _check(self, length: int) -> None:
        if length > self.most_bytes:
            # The rest of the body may be endless: the server ends the connection rather than swallow it.
            raise HTTPException(413, headers={"Connection": "close"})
