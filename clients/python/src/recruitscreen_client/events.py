"""What a job's event stream says, as values; and the reader of `text/event-stream` behind it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Loading:
    """Models on their way into memory."""

    roles: tuple[str, ...]
    bytes_loaded: int
    bytes_total: int
    """0 while unknown."""
    expected_s: float | None
    """Seconds the slowest of them took lately."""

    @classmethod
    def of(cls, data: dict[str, Any] | None) -> Self | None:
        """The `loading` part of an event's data."""
        if data is None:
            return None
        return cls(
            tuple(data.get("roles") or ()),
            int(data.get("bytes_loaded") or 0),
            int(data.get("bytes_total") or 0),
            data.get("expected_s"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a job."""

    seq: int
    """Place in the job's history; `events(after=seq)` goes on behind it."""
    status: str
    """State of the job at that time."""
    detail: str | None = None
    """A line for people."""
    at: datetime | None = None
    loading: Loading | None = None
    queue_position: int | None = None
    """While queued: 1 for the next job to be run."""
    expected_s: float | None = None
    """Seconds until the result, at today's pace."""
    data: dict[str, Any] = field(default_factory=dict, compare=False)
    """All the event carries, as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent(Event):
    """The job entered a state."""

    terminal: bool = False
    """The job is over. A failed job that is retried goes on with further events."""
    error: dict[str, Any] | None = None
    """Of a failure: `code`, `message`, `retryable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent(Event):
    """The job moved on inside a state."""

    stage: str | None = None
    """`transcription`, `diarization` or `assessment`."""
    percent: int | None = None
    """Share of the whole job that is done, 0 to 100."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream before its data are understood."""

    name: str
    data: str
    id: str


def parse(frame: Frame) -> Event | None:
    """The event in a frame; None for kinds this version does not know."""
    if frame.name not in ("status", "progress"):
        return None
    data: dict[str, Any] = json.loads(frame.data)
    at = data.get("at")
    common: dict[str, Any] = {
        "seq": int(frame.id or data.get("seq") or 0),
        "status": data["status"],
        "detail": data.get("detail"),
        "at": datetime.fromisoformat(at) if at else None,
        "loading": Loading.of(data.get("loading")),
        "queue_position": data.get("queue_position"),
        "expected_s": data.get("expected_s"),
        "data": data,
    }
    if frame.name == "status":
        return StatusEvent(**common, terminal=bool(data.get("terminal")), error=data.get("error"))
    return ProgressEvent(**common, stage=data.get("stage"), percent=data.get("percent"))


def read_frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of an event stream. One that is not complete when the stream ends does not count."""
    name, seen = "", ""
    data: list[str] = []
    for line in _lines(chunks):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Frame(name or "message", "\n".join(data), seen)
            name, data = "", []
        elif key == "event":
            name = value
        elif key == "data":
            data.append(value)
        elif key == "id":
            seen = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by LF or CR LF. `str.splitlines` would also cut at U+2028 and others that may stand in the data."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
