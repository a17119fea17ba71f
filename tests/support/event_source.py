"""A browser's `EventSource`, as the HTML standard has it (section 9.2): no headers but its own, no cookies, reconnects.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import codecs
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Message:
    """A dispatched event."""

    type: str
    data: str
    last_event_id: str


@dataclass
class EventSource:
    """Iterate to receive; ends when the server says 204 or anything else that is not an event stream."""

    url: str
    retry_s: float = 0.2
    """Until the server names another; browsers take a few seconds."""
    last_event_id: str = ""
    connections: int = 0
    refused_with: int = 0
    _data: list[str] = field(default_factory=list)
    _type: str = ""
    _id: str = ""

    def __iter__(self) -> Iterator[Message]:
        while not self.refused_with:
            with suppress(httpx.TransportError):
                yield from self._connect()
            time.sleep(0 if self.refused_with else self.retry_s)

    def _connect(self) -> Iterator[Message]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        self.connections += 1
        with httpx.stream("GET", self.url, headers=headers, timeout=30) as answer:
            if answer.status_code != 200 or not answer.headers["content-type"].startswith("text/event-stream"):
                self.refused_with = answer.status_code
                return
            self._data, self._type, self._id = [], "", self.last_event_id  # what was half received is gone
            for line in _lines(answer.iter_raw()):
                if (message := self._line(line)) is not None:
                    yield message

    def _line(self, line: str) -> Message | None:
        """Interpret one line; a blank one may dispatch."""
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_s = int(value) / 1000
        return None

    def _dispatch(self) -> Message | None:
        self.last_event_id = self._id
        data, kind = self._data, self._type
        self._data, self._type = [], ""
        return Message(kind or "message", "\n".join(data), self.last_event_id) if data else None


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Whole lines of a UTF-8 stream with any of the three line ends; what has no end at the stream's end is dropped."""
    decoder, held, first = codecs.getincrementaldecoder("utf-8")("replace"), "", True
    for chunk in chunks:
        held += decoder.decode(chunk)
        if first and held:
            held, first = held.removeprefix("\ufeff"), False
        whole = held.removesuffix("\r")  # its LF may be in the next chunk
        *lines, rest = LINE_END.split(whole)
        held = rest + held[len(whole) :]
        yield from lines
