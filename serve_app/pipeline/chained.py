"""Find the recordings in a file that is several joined together: chained Ogg, and WAV files one after the other.

libav reads such a file as one, and loses what follows a change of channels or sample rate, or the first WAV header.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

Span = tuple[int, int]
"""First byte, and the byte after the last one."""

MAX_PIECES = 500
"""More pieces than this are no recording; the file is then read as one."""
OGG_PAGE, OGG_HEADER, FIRST_PAGE = b"OggS", 27, 2
RIFF_HEADER = 12


def pieces(path: Path) -> list[Span]:
    """Return the spans of the recordings in the file, in order; one span for any other file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= OGG_HEADER:
            return [(0, size)]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            starts = {b"OggS": _ogg_starts, b"RIFF": _wav_starts}.get(data[:4], _no_starts)(data)
            found = [0, *(start for start, _ in zip(starts, range(MAX_PIECES), strict=False))]
    if len(found) > MAX_PIECES:
        found = [0]
    return list(zip(found, [*found[1:], size], strict=True))


def _no_starts(_: mmap.mmap) -> Iterator[int]:
    return iter(())


def _ogg_starts(data: mmap.mmap) -> Iterator[int]:
    """Where a first page of a stream follows other pages (RFC 3533: streams of one piece begin together)."""
    position, in_headers = 0, True
    while position + OGG_HEADER <= len(data):
        if data[position : position + 4] != OGG_PAGE:
            position = data.find(OGG_PAGE, position)
            if position < 0:
                return
            continue
        is_first = bool(data[position + 5] & FIRST_PAGE)
        if is_first and not in_headers:
            yield position
        in_headers = is_first
        segments = data[position + 26]
        position += OGG_HEADER + segments + sum(data[position + OGG_HEADER : position + OGG_HEADER + segments])


def _wav_starts(data: mmap.mmap) -> Iterator[int]:
    """Where another WAV file begins right after the end that a header states."""
    position = 0
    while position + RIFF_HEADER <= len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        after = position + 8 + length
        position = next((at for at in (after, after + 1) if _is_wav(data, at)), len(data))
        if position < len(data):
            yield position


def _is_wav(data: mmap.mmap, at: int) -> bool:
    return data[at : at + 4] == b"RIFF" and data[at + 8 : at + RIFF_HEADER] == b"WAVE"
