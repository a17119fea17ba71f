"""Find the recordings in a file that is several joined together, such as chained Ogg or the output of `cat *.wav`.

libav reads most such files as their first recording alone, or takes what follows for sound of the first one's format.
MP3, ADTS, AVI and MPEG are not here: it reads those to their end.
"""

import mmap
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from serve_app.pipeline.file_extent import MAX_PARTS

Span = tuple[int, int]
"""First byte, and the byte after the last one."""

MAX_PIECES = 500
"""More pieces than this are no recording; the file is then read as one."""
OGG_HEADER, FIRST_PAGE, BOX_HEADER = 27, 2, 16
BEGINNINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"RIFF.{4}WAVE[ -~]{4}",
        rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00",  # Sony Wave64
        rb"FORM.{4}AIF[FC](?:COMM|FVER)",
        rb"caff\x00\x01\x00\x00desc",
        rb"\.snd\x00\x00.{2}.{4}\x00\x00\x00[\x01-\x1b]\x00",
        rb"fLaC[\x00\x80]\x00\x00\x22",
        rb"\x1aE\xdf\xa3(?:[\x80-\xff]|\x01\x00{6}.)B\x86",  # Matroska
        rb"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel",  # ASF
        rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09\x00\x00\x00\x00",
    )
)
"""First bytes of a file, 8 or more that are fixed, so that sound does not hold them by chance."""


def pieces(path: Path) -> list[Span]:
    """Return the spans of the recordings in the file, in order; one span for any other file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= OGG_HEADER:
            return [(0, size)]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = [0, *(start for start, _ in zip(_later_starts(data), range(MAX_PIECES), strict=False))]
    if len(found) > MAX_PIECES:
        found = [0]
    return list(zip(found, [*found[1:], size], strict=True))


def _later_starts(data: mmap.mmap) -> Iterator[int]:
    """Where the recordings after the first one begin."""
    if data[:4] == b"OggS":
        yield from _ogg_starts(data)
    elif data[4:8] == b"ftyp":
        yield from _mp4_starts(data)
    else:
        beginning = next((pattern for pattern in BEGINNINGS if pattern.match(data)), None)
        yield from (match.start() for match in beginning.finditer(data, 1)) if beginning else ()


def _ogg_starts(data: mmap.mmap) -> Iterator[int]:
    """Where a first page of a stream follows other pages (RFC 3533: streams of one piece begin together)."""
    position, in_headers = 0, True
    while position + OGG_HEADER <= len(data):
        if data[position : position + 4] != b"OggS":
            position = data.find(b"OggS", position)
            if position < 0:
                return
            continue
        is_first = bool(data[position + 5] & FIRST_PAGE)
        if is_first and not in_headers:
            yield position
        in_headers = is_first
        segments = data[position + 26]
        position += OGG_HEADER + segments + sum(data[position + OGG_HEADER : position + OGG_HEADER + segments])


def _mp4_starts(data: mmap.mmap) -> Iterator[int]:
    """Where another box `ftyp` follows. A search for it would find those of attached pictures."""
    position = 0
    for _ in range(MAX_PARTS):
        if position + BOX_HEADER > len(data):
            return
        size, kind, long_size = struct.unpack_from(">I4sQ", data, position)
        if kind == b"ftyp" and position:
            yield position
        size = long_size if size == 1 else size
        if size < 8:  # the box that runs to the end, or no box
            return
        position += size
