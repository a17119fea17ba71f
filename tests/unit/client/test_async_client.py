"""The asynchronous client against a scripted server. What it shares with the synchronous one is tested there."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from recruitscreen_client import ApiError, AsyncRecruitScreen, StatusEvent
from recruitscreen_client.aio import Backoff

from tests.unit.client.test_client import JOB, SUBMITTED, Answer, frame, ok, refusal


class AsyncServer:
    """Answers requests in the order of its script and records them."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []
        transport = httpx.MockTransport(self.answer)
        backoff = Backoff(sleep=self.sleep)
        self.client = AsyncRecruitScreen("lv_sk_all_x", "http://api.test/", backoff=backoff, transport=transport)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(await request.aread())
        next_ = self.script.pop(0)
        if isinstance(next_, Exception):
            raise next_
        return next_(request) if callable(next_) else next_

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def streamed(*chunks: bytes, broken: bool = False) -> httpx.Response:
    async def content() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if broken:
            raise httpx.ReadError("connection reset")

    return httpx.Response(200, content=content(), headers={"Content-Type": "text/event-stream"})


async def test_a_submit_is_repeated_whole_under_the_same_key(tmp_path: Path) -> None:
    """After a lost connection and a 503 the same key and the whole file are sent again."""
    recording = tmp_path / "call.mp3"
    recording.write_bytes(b"sound" * 10_000)
    server = AsyncServer(httpx.ReadError(""), refusal(503, "unavailable", {"Retry-After": "3"}), ok(SUBMITTED, 202))
    async with server.client as client:
        assert (await client.submit(recording, "Engineer", metadata={"ats": 7}))["job_id"] == JOB
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert all(b"sound" * 10_000 in body for body in server.bodies)
    assert server.slept[-1] == 3.0


async def test_events_are_resumed_after_a_broken_stream() -> None:
    """Every event once and in order, over a connection that breaks inside an event."""
    whole = [frame(1, "queued"), frame(2, "processing_inference"), frame(3, "completed")]
    server = AsyncServer(streamed(whole[0], whole[1][:20], broken=True), streamed(*whole[1:]))
    async with server.client as client:
        events = [event async for event in client.events(JOB)]
    assert [event.seq for event in events] == [1, 2, 3]
    assert isinstance(events[-1], StatusEvent)
    assert events[-1].terminal
    assert server.requests[1].headers["Last-Event-ID"] == "1"


async def test_a_list_is_read_page_by_page_as_needed() -> None:
    """The next page is asked for only when it is read."""
    first = {"data": [{"job_id": "a"}, {"job_id": "b"}], "has_more": True, "next_cursor": "c"}
    server = AsyncServer(ok(first), ok({"data": [{"job_id": "d"}], "has_more": False, "next_cursor": None}))
    async with server.client as client:
        rows = client.list("completed")
        assert [(await anext(rows))["job_id"] for _ in range(2)] == ["a", "b"]
        assert len(server.requests) == 1
        assert [row["job_id"] async for row in rows] == ["d"]
    assert server.requests[1].url.params["cursor"] == "c"


async def test_calls_wait_side_by_side_and_can_be_canceled() -> None:
    """Twenty calls that take 0.2 s take far less than 4 s together, and a canceled one ends at once."""

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return ok({"balance": 1})

    async with AsyncRecruitScreen("k", "http://api.test", transport=httpx.MockTransport(slow)) as client:
        began = time.monotonic()
        assert await asyncio.gather(*(client.credits() for _ in range(20))) == [{"balance": 1}] * 20
        assert time.monotonic() - began < 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.credits()


async def test_a_refusal_is_the_same_error() -> None:
    """Code, message and status are those of the synchronous client."""
    server = AsyncServer(refusal(402, "insufficient_credits", credits_needed=7))
    async with server.client as client:
        with pytest.raises(ApiError) as refused:
            await client.submit_url("https://files.example/call.mp3", "Engineer")
    assert (refused.value.status, refused.value.code) == (402, "insufficient_credits")
    assert server.bodies[0] == b"role_title=Engineer&source_url=https%3A%2F%2Ffiles.example%2Fcall.mp3"
