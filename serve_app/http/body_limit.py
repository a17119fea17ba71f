"""Limits request bodies. A declared length over the limit is refused unread, any other body once it exceeds the limit.

The default limit fits small documents. A route for recordings raises it to its product's limit, after it has checked
the key: a request without a valid key gets 401, whatever its length.

When a response leaves much of the body unread, the connection is closed. Before that, the rest of the body is read and
dropped, for a bounded time and size. Many clients read no response while they send; closing a connection with unread
bytes resets it, and they would never see the response (RFC 9112 §9.6).
"""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULT_LIMIT_BYTES = 1_000_000
DRAIN_BYTES = 128_000_000
DRAIN_S = 30.0
IDLE_S = 3.0
"""Longest wait for the next bytes of a body that is dropped."""


class BodyLimit:
    """ASGI middleware that raises 413 in `receive` when a body exceeds its limit, and 415 when it is compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = _Body(Request(scope).headers, receive, send)
            scope.setdefault("state", {})["body"] = body
            receive, send = body.receive, body.send
        await self.app(scope, receive, send)


def allow(request: Request, limit_bytes: int) -> None:
    """Set the limit of this request's body."""
    body: _Body = request.state.body
    body.limit_bytes = limit_bytes


class _Body:
    """Counts the bytes of one request body."""

    def __init__(self, headers: Headers, receive: Receive, send: Send) -> None:
        self.limit_bytes = DEFAULT_LIMIT_BYTES
        length = headers.get("content-length", "")
        self._declared = int(length) if length.isdecimal() else 0
        self._ended = not self._declared and "transfer-encoding" not in headers
        self._receive = receive
        self._send = send
        self._read = 0
        self._encoded = headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}
        self._closing = False

    async def receive(self) -> Message:
        """The next chunk. Raises 413 or 415 as an HTTPException: Starlette's form parser lets no other kind through."""
        if self._encoded and not self._ended:
            raise HTTPException(415)
        self._check(self._declared)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        self._check(self._read)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the response on. Drains and closes the connection when much of the body is unread."""
        if message["type"] == "http.response.start" and self._much_is_unread():
            self._closing = True
            MutableHeaders(scope=message)["Connection"] = "close"
        elif self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})  # the client has the whole response now
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self) -> None:
        """Read and drop the rest of the body until it ends, the client hangs up or pauses, or a limit is reached."""
        read = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not self._ended and read < DRAIN_BYTES:
                    message = await asyncio.wait_for(self._receive(), IDLE_S)
                    read += len(message.get("body", b""))
                    self._ended = not message.get("more_body", False)

    def _check(self, length: int) -> None:
        if length > self.limit_bytes:
            limit = f"{self.limit_bytes / 1e6:.3g} MB"
            raise HTTPException(413, f"The request body has {length / 1e6:.1f} MB or more; this path accepts {limit}.")

    def _much_is_unread(self) -> bool:
        return not self._ended and (not self._declared or self._declared - self._read > DEFAULT_LIMIT_BYTES)
