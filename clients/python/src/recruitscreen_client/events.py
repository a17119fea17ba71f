"""Typed events of a job's stream, and a parser of `text/event-stream`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Loading:
    """Models that are loading."""

    roles: tuple[str, ...]
    bytes_loaded: int
    bytes_total: int
    """0 if unknown."""
    expected_s: float | None
    """Recent load time of the slowest model."""

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
    """One event of a job."""

    seq: int
    """Number of the event, from 1. `events(after=seq)` resumes after it."""
    status: str
    """State of the job at the time of the event."""
    detail: str | None = None
    """A short text for people."""
    at: datetime | None = None
    loading: Loading | None = None
    queue_position: int | None = None
    """While queued: place in the queue; 1 runs next."""
    expected_s: float | None = None
    """Estimated seconds until the result."""
    data: dict[str, Any] = field(default_factory=dict, compare=False)
    """All fields of the event, unparsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent(Event):
    """The job changed its state."""

    terminal: bool = False
    """True when the job is over. A retry of a failed job adds further events."""
    error: dict[str, Any] | None = None
    """Of a failed job: `code`, `message`, `retryable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent(Event):
    """Progress within a state."""

    stage: str | None = None
    """`transcription`, `diarization` or `assessment`."""
    percent: int | None = None
    """Percentage of the job that is done, 0 to 100."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One unparsed event of a stream."""

    name: str
    data: str
    id: str


def parse(frame: Frame) -> Event | None:
    """The event in a frame. None for unknown kinds."""
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


class FrameParser:
    """Takes the bytes of an event stream as they come, and gives the frames that have become whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._last_id = ""

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that end in this chunk."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:  # `str.splitlines` would also split at U+2028, which data can contain
            frame = self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if frame is not None:
                yield frame

    def _line(self, line: str) -> Frame | None:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            whole = Frame(self._name or "message", "\n".join(self._data), self._last_id) if self._data else None
            self._name, self._data = "", []
            return whole
        if key == "event":
            self._name = value
        elif key == "data":
            self._data.append(value)
        elif key == "id":
            self._last_id = value
        return None
