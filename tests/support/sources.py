"""A server of recordings, good and bad, as customers name them by `source_url`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.world import tone

OCTETS = "application/octet-stream"
TRICKLE_S = 0.1


class Sources:
    """The app, and what it was asked for. `failures` answers of /flaky are 503 before it works."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = 0
        self.trickling = asyncio.Event()
        self.failures = 0
        answers: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/call.wav": self.recording, "/missing.wav": self.status(404), "/private.wav": self.status(403),
            "/page": self.page, "/large": self.large, "/endless": self.endless, "/noise": self.noise,
            "/trickle.wav": self.trickle, "/flaky.wav": self.flaky, "/moved": self.moved, "/inside": self.inside,
            "/round": self.round, "/compressed": self.compressed, "/broken": self.broken, "/named": self.named,
        }  # fmt: skip
        self.app = Starlette(routes=[Route(path, self.noted(answer)) for path, answer in answers.items()])

    def noted(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def note(request: Request) -> Response:
            self.asked.append(request.url.path)
            return await answer(request)

        return note

    async def recording(self, _: Request) -> Response:
        return Response(tone(61), media_type="audio/wav")

    async def named(self, _: Request) -> Response:
        headers = {"Content-Disposition": "attachment; filename*=UTF-8''Gespr%C3%A4ch.wav", "Set-Cookie": "a=b"}
        return Response(tone(2), media_type=OCTETS, headers=headers)

    def status(self, code: int) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_: Request) -> Response:
            return Response("no", code)

        return answer

    async def page(self, _: Request) -> Response:
        return HTMLResponse("<p>Sign in to see this file")

    async def large(self, _: Request) -> Response:
        return StreamingResponse(self._zeros(1), headers={"Content-Length": "900000000"}, media_type=OCTETS)

    async def endless(self, _: Request) -> Response:
        return StreamingResponse(self._zeros(10_000), media_type=OCTETS)

    async def noise(self, _: Request) -> Response:
        return Response(bytes(5000), media_type=OCTETS)

    async def trickle(self, _: Request) -> Response:
        return StreamingResponse(self._trickle(), media_type="audio/wav")

    async def flaky(self, request: Request) -> Response:
        self.failures -= 1
        return Response("busy", 503) if self.failures >= 0 else await self.recording(request)

    async def moved(self, _: Request) -> Response:
        return RedirectResponse("/call.wav")

    async def inside(self, _: Request) -> Response:
        return RedirectResponse("https://169.254.169.254/latest/meta-data")

    async def round(self, _: Request) -> Response:
        return RedirectResponse("/round")

    async def compressed(self, _: Request) -> Response:
        return Response(b"\x1f\x8b", media_type="audio/wav", headers={"Content-Encoding": "gzip"})

    async def broken(self, _: Request) -> Response:
        return StreamingResponse(self._zeros(1), headers={"Content-Length": "5000000"}, media_type="audio/wav")

    async def _zeros(self, megabytes: int) -> AsyncIterator[bytes]:
        for _ in range(megabytes):
            yield bytes(1_000_000)

    async def _trickle(self) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            self.trickling.set()
            for _ in range(6000):
                yield bytes(300_000)
                await asyncio.sleep(TRICKLE_S)
        finally:
            self.open -= 1
