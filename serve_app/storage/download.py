"""Fetch a recording from an address that a customer names: public hosts only, within a size and a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import Message
from typing import BinaryIO
from urllib.parse import unquote

import httpx

from serve_app.errors import (
    FileTooLarge,
    SourceNotFound,
    SourceRefused,
    SourceTooSlow,
    SourceUnavailable,
    SourceWrongType,
)
from serve_app.storage.blobs import outage
from serve_app.storage.outbound import GuardedTransport, OutboundPolicy, Refused, check_url, guarded_client

REDIRECTS = 5
"""Links of file shares lead to the file over one to three. Each address is checked like the first."""
CONNECT_S = 10.0
IDLE_S = 30.0
"""Longest wait for the next bytes."""
CHUNK = 256 * 1024
REPORT_S = 1.0
HEADERS = {"Accept": "audio/*, video/*, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "RecruitScreen/1"}
TEXTS = frozenset({"application/json", "application/xml", "application/xhtml+xml", "application/javascript"})
"""Media types of what is no recording, beside text/*. All others are left to the decoder: many stores send any type."""
AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 after which another attempt can succeed."""

Report = Callable[[int, int | None], Awaitable[None]]
"""Receives the bytes that have arrived, and how many there will be, if the server said so."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a recording may be, and how long all of it may take."""

    max_bytes: int
    timeout_s: float


def download_client(*, allow_loopback: bool) -> httpx.AsyncClient:
    """The client that recordings are fetched with."""
    return guarded_client(GuardedTransport(OutboundPolicy(allow_loopback)), REDIRECTS)


def check_source(url: str, *, allow_loopback: bool) -> None:
    """Check an address without asking anyone. Raises `SourceRefused`."""
    try:
        check_url(url, OutboundPolicy(allow_loopback))
    except Refused as refusal:
        raise _refused(refusal) from None


async def fetch(client: httpx.AsyncClient, url: str, file: BinaryIO, limits: Limits, report: Report) -> str:
    """Write the recording to `file` and return its name, which may be empty. Raises `Source…` and `FileTooLarge`."""
    waits = httpx.Timeout(IDLE_S, connect=CONNECT_S)
    try:
        async with (
            asyncio.timeout(limits.timeout_s),
            client.stream("GET", url, headers=HEADERS, timeout=waits) as response,
        ):
            _check(response, limits.max_bytes)
            await _copy(response, file, limits.max_bytes, report)
            return _file_name(response)
    except Refused as refusal:
        raise _refused(refusal) from None
    except (TimeoutError, httpx.TimeoutException):
        raise SourceTooSlow(
            f"The recording did not arrive from source_url: no byte for {IDLE_S:g} s, or not all of it within "
            f"{limits.timeout_s:g} s. Nothing was charged. Retry the job, or upload the file."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceUnavailable(
            f"The server of source_url cannot be reached, or it broke off: {str(error)[:200] or type(error).__name__}. "
            "Nothing was charged. Retry the job later."
        ) from None


def _check(response: httpx.Response, max_bytes: int) -> None:
    """Raise for an answer that is no recording, or a too large one."""
    status = response.status_code
    if status >= 500 or status in AGAIN:
        raise SourceUnavailable(
            f"The server of source_url answered {status}. Nothing was charged. Retry the job later."
        )
    if status != 200:
        raise SourceNotFound(
            f"The server of source_url answered {status}, not 200. Nothing was charged. Submit a URL that exists and "
            "opens without a login, such as a signed one that is still valid."
        )
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith("text/") or media_type in TEXTS:
        raise SourceWrongType(
            f"source_url leads to {media_type[:60]}, which is no recording but a page or another text. Nothing was "
            "charged. Submit the address of the file itself."
        )
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise SourceWrongType(
            f"The server of source_url compresses the file ({encoding[:20]}), though it was asked not to. Nothing was "
            "charged. Upload the file, or serve it as it is."
        )
    _check_size(_length(response) or 0, max_bytes)


async def _copy(response: httpx.Response, file: BinaryIO, max_bytes: int, report: Report) -> None:
    received, reported_at = 0, time.monotonic()
    async for chunk in response.aiter_raw(CHUNK):
        received += len(chunk)
        _check_size(received, max_bytes)
        try:
            await asyncio.to_thread(file.write, chunk)
        except OSError as error:
            raise outage(error) from error
        if time.monotonic() - reported_at >= REPORT_S:
            reported_at = time.monotonic()
            await report(received, _length(response))


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise FileTooLarge(
            f"The file at source_url has {size / 1e6:.1f} MB or more; the limit is {max_bytes / 1e6:g} MB. Nothing was "
            "charged. Compress it."
        )


def _length(response: httpx.Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _file_name(response: httpx.Response) -> str:
    """The name that the server gives the file, else the end of its path."""
    disposition = Message()
    disposition["Content-Disposition"] = response.headers.get("content-disposition", "")
    return disposition.get_filename("") or unquote(response.url.path.rpartition("/")[2])


def _refused(refusal: Refused) -> SourceRefused:
    return SourceRefused(f"'source_url': {refusal} Nothing was charged.", "source_url")
