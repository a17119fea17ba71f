"""An ASGI app as one kind of client sees it, and as a real HTTP server serves it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HangsUpOnceAnswered:
    """The app for a client that reads while it sends, and hangs up when it has the whole response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        missing: int | None = None

        async def receive_until_answered() -> Message:
            return {"type": "http.disconnect"} if missing == 0 else await receive()

        async def send_and_count(message: Message) -> None:
            nonlocal missing
            if message["type"] == "http.response.start":
                missing = int(Headers(raw=message["headers"]).get("content-length", -1))
            elif message["type"] == "http.response.body" and missing:
                missing -= len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive_until_answered, send_and_count)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """The app on a real server, with the parser that Serve's servers use. Yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
