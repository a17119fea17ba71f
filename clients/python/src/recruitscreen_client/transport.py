"""Requests that survive a bad connection: what is tried again, and how long to wait before."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from recruitscreen_client.errors import ApiError, ConnectionFailed, RecruitScreenError

TIMEOUT = httpx.Timeout(60, connect=10)
STREAM_TIMEOUT = httpx.Timeout(45, connect=10)
"""The server sends a keep-alive every 15 s; three missed ones mean that the connection is dead."""
TRY_LATER = frozenset({429, 503})
UNREACHED = frozenset({500, 502, 504})
"""What a proxy answers, in a form of its own, when it cannot reach the API; it may have lost an answer of the API's."""
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before the server can have seen the request."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a request is tried, and what lies between two tries."""

    attempts: int = 5
    first_s: float = 0.5
    """Doubled with every try, less up to half of it by chance, so that clients do not return in step."""
    longest_s: float = 60.0
    """A `Retry-After` beyond this is not waited for: the error is raised at once."""
    sleep: Callable[[float], None] = time.sleep

    def delays(self) -> Iterator[float]:
        """Seconds before the second try, the third, and so on."""
        for n in range(self.attempts - 1):
            whole = min(self.first_s * 2**n, self.longest_s)
            yield whole * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


class Transport:
    """Sends requests to one API with one key."""

    def __init__(
        self, base_url: str, api_key: str | None, backoff: Backoff, transport: httpx.BaseTransport | None
    ) -> None:
        self.base_url = base_url
        self.backoff = backoff
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=TIMEOUT,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, url: str, *, repeatable: bool = True, **request: Any) -> httpx.Response:
        """A successful answer. Raises `ApiError` and `ConnectionFailed`.

        Connection errors, 429, 503 and a proxy's error pages are tried again. A request that is not `repeatable` is
        only sent again when the server has surely not acted on it.
        """
        delays = self.backoff.delays()
        while True:
            try:
                response = self._http.request(method, url, **request)
            except httpx.TransportError as error:
                if not (repeatable or isinstance(error, NEVER_SENT)):
                    raise self._lost(error) from error
                self.pause(delays, self._lost(error))
            else:
                if response.is_success:
                    return response
                refusal = ApiError.of(response)
                if _from_a_proxy(refusal) and not repeatable:
                    raise refusal
                self.pause(delays, refusal)

    def json(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        """The JSON object in a successful answer. Raises like `send`."""
        response = self.send(method, url, **request)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiError(f"{self.base_url} does not answer like RecruitScreen. Check the base URL.", 200)
        return body

    @contextmanager
    def stream(self, url: str, headers: dict[str, str]) -> Iterator[Iterator[bytes]]:
        """The bytes of an event stream as they arrive. Tried once; raises `ApiError` and `ConnectionFailed`."""
        headers = {"Accept": "text/event-stream"} | headers
        try:
            with self._http.stream("GET", url, headers=headers, timeout=STREAM_TIMEOUT) as response:
                if not response.is_success:
                    response.read()
                    raise ApiError.of(response)
                yield response.iter_bytes()
        except httpx.TransportError as error:
            raise self._lost(error) from error

    def pause(self, delays: Iterator[float], failure: RecruitScreenError) -> None:
        """Sleep before the next try, or raise `failure` when there is no point in one or no try left."""
        delay = next(delays, None)
        if delay is None or not _may_pass(failure):
            raise failure
        at_least = failure.retry_after_s if isinstance(failure, ApiError) else 0.0
        if at_least > self.backoff.longest_s:
            raise failure
        self.backoff.sleep(max(delay, at_least))

    def _lost(self, error: httpx.TransportError) -> ConnectionFailed:
        failure = ConnectionFailed(f"No answer from {self.base_url}: {error or type(error).__name__}")
        failure.__cause__ = error
        return failure


def _may_pass(failure: RecruitScreenError) -> bool:
    """Whether another try can succeed."""
    if isinstance(failure, ApiError):
        return failure.status in TRY_LATER or _from_a_proxy(failure)
    return not isinstance(failure.__cause__, httpx.UnsupportedProtocol)


def _from_a_proxy(refusal: ApiError) -> bool:
    """Whether it says that the API was not reached, and is not the API's word: that has a code."""
    return refusal.status in UNREACHED and refusal.code == "http_error"
