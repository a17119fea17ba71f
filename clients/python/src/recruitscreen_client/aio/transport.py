"""HTTP requests with retries: which failures are retried, and after how long."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from recruitscreen_client.errors import ApiError, ConnectionFailed, RecruitScreenError
from recruitscreen_client.events import Frame, FrameParser

TIMEOUT = httpx.Timeout(60, connect=10)
STREAM_TIMEOUT = httpx.Timeout(45, connect=10)
"""The server sends a keep-alive every 15 s. After three missed ones the connection counts as dead."""
RETRYABLE_STATUSES = frozenset({429, 503, 507})
PROXY_STATUSES = frozenset({500, 502, 504})
"""Statuses of a proxy that cannot reach the API. It may have lost the API's response."""
PAGE_SIZE = 100
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before the server received the request."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Number of attempts and the delays between them."""

    attempts: int = 5
    initial_s: float = 0.5
    """Delay before the second attempt. Doubles with every attempt, minus a random part of up to half of it."""
    max_s: float = 60.0
    """Longest delay. With a longer `Retry-After` the error is raised at once."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def delays(self) -> Iterator[float]:
        """Seconds before the second attempt, the third, and so on."""
        for n in range(self.attempts - 1):
            longest = min(self.initial_s * 2**n, self.max_s)
            yield longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not cryptography


class Transport:
    """Sends requests to one deployment with one key."""

    def __init__(
        self, base_url: str, api_key: str | None, backoff: Backoff, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.base_url = base_url
        self.backoff = backoff
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=TIMEOUT,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, method: str, url: str, *, repeatable: bool = True, **request: Any) -> httpx.Response:
        """Send a request and return the successful response. Raises `ApiError` and `ConnectionFailed`.

        Retries after connection errors, 429, 503, 507 and a proxy's error pages. With `repeatable` False, retries only
        when the server cannot have acted on the request.
        """
        delays = self.backoff.delays()
        while True:
            try:
                response = await self._http.request(method, url, **request)
            except httpx.TransportError as error:
                if not (repeatable or isinstance(error, NEVER_SENT)):
                    raise self._connection_failed(error) from error
                await self.pause(delays, self._connection_failed(error))
            else:
                if response.is_success:
                    return response
                refusal = ApiError.of(response)
                if _is_from_proxy(refusal) and not repeatable:
                    raise refusal
                await self.pause(delays, refusal)

    async def json(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        """Send a request and return the JSON object of the response. Raises as `send`."""
        response = await self.send(method, url, **request)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiError(f"{self.base_url} is not a RecruitScreen API. Check the base URL.", 200)
        return body

    async def items(self, url: str) -> list[dict[str, Any]]:
        """Get the JSON list at `url`. Raises as `send`."""
        items: list[dict[str, Any]] = (await self.send("GET", url)).json()
        return items

    async def pages(self, url: str, limit: int | None, filters: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield at most `limit` items of a list that comes in pages. Leaves out filters that are None."""
        params = {name: value for name, value in filters.items() if value is not None}
        left = limit
        cursor: dict[str, str] = {}
        while left is None or left > 0:
            size = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
            page = await self.json("GET", url, params=params | cursor | {"limit": size})
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            cursor = {"cursor": page["next_cursor"]}
            left = None if left is None else left - len(page["data"])

    @asynccontextmanager
    async def stream(self, url: str, headers: dict[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an event stream as they arrive. One attempt. Raises `ApiError` and `ConnectionFailed`."""
        headers = {"Accept": "text/event-stream"} | headers
        try:
            async with self._http.stream("GET", url, headers=headers, timeout=STREAM_TIMEOUT) as response:
                if not response.is_success:
                    await response.aread()
                    raise ApiError.of(response)
                yield response.aiter_bytes()
        except httpx.TransportError as error:
            raise self._connection_failed(error) from error

    async def pause(self, delays: Iterator[float], failure: RecruitScreenError) -> None:
        """Sleep before the next attempt. Raises `failure` when a retry cannot succeed or no attempt is left."""
        delay = next(delays, None)
        if delay is None or not _can_retry(failure):
            raise failure
        at_least = failure.retry_after_s if isinstance(failure, ApiError) else 0.0
        if at_least > self.backoff.max_s:
            raise failure
        await self.backoff.sleep(max(delay, at_least))

    def _connection_failed(self, error: httpx.TransportError) -> ConnectionFailed:
        failure = ConnectionFailed(f"No answer from {self.base_url}: {error or type(error).__name__}")
        failure.__cause__ = error
        return failure


async def read_frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[Frame]:
    """The frames of an event stream. An incomplete frame at the end is dropped."""
    parser = FrameParser()
    async for chunk in chunks:
        for frame in parser.feed(chunk):
            yield frame


def _can_retry(failure: RecruitScreenError) -> bool:
    """Whether another attempt can succeed."""
    if isinstance(failure, ApiError):
        return failure.status in RETRYABLE_STATUSES or _is_from_proxy(failure)
    return not isinstance(failure.__cause__, httpx.UnsupportedProtocol)


def _is_from_proxy(refusal: ApiError) -> bool:
    """Whether a proxy sent it: errors of the API have a code."""
    return refusal.status in PROXY_STATUSES and refusal.code == "http_error"
