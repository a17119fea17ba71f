"""A recording's bytes as the media library sees them: a part of a file, which can be read until a deadline."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from serve_app.errors import MediaUnreadable


@dataclass(slots=True)
class Source:
    """A part of a file as libav sees it: bytes that can be read until the deadline."""

    file: BinaryIO
    start: int
    end: int
    deadline: float
    name: str
    """No name but the suffix: it helps where junk stands before the sound, and the whitelist bounds what it can do."""

    def check(self) -> None:
        """Raise `MediaUnreadable` after the deadline."""
        if time.monotonic() > self.deadline:
            raise MediaUnreadable("The file takes too long to read; it is probably damaged.")

    def read(self, size: int) -> bytes:
        self.check()
        return self.file.read(min(size, max(0, self.end - self.file.tell())))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte; -1 where a damaged index points before the start. Beyond the end there is nothing to read."""
        target = {os.SEEK_SET: self.start, os.SEEK_CUR: self.file.tell(), os.SEEK_END: self.end}[whence] + offset
        if target < self.start:
            return -1
        self.file.seek(min(target, self.end))  # the operating system refuses offsets that no file can have
        return target - self.start

    def tell(self) -> int:
        return self.file.tell() - self.start

    @property
    def length(self) -> int:
        """Bytes in all."""
        return self.end - self.start

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from there on. Moves the position: for files that were read to their end."""
        self.seek(offset)
        return self.read(size)


@contextmanager
def open_source(path: Path, deadline: float, span: tuple[int, int] | None = None) -> Iterator[Source]:
    """Open the file, or the bytes of `span` alone; `deadline` is on the monotonic clock."""
    with path.open("rb") as file:
        start, end = span or (0, os.fstat(file.fileno()).st_size)
        file.seek(start)
        yield Source(file, start, end, deadline, f"upload{path.suffix}")
