"""Compare a file with the sizes that it states: whether its end is missing, and whether anything follows its end."""

import struct
from dataclasses import dataclass

from serve_app.pipeline.media_source import Source

OPEN_ENDED = 0x7FFF_0000
"""Sizes of RIFF from here on, and 0, were written before the size was known."""
SLACK = 64
MAX_PARTS = 200_000
"""Chunks or boxes that are followed. Four hours of MP4 in fragments of a second have 29,000, hostile files millions."""
LARGEST_OGG_PAGE, OGG_HEADER = 65_307, 27
TAGS = (b"ID3", b"TAG", b"APETAGEX")
"""Beginnings of what programs append to recordings of any format."""
WAVE64 = tuple(map(bytes.fromhex, ("2e91cf11a5d628db04c10000", "2f91cf11a5d628db04c10000", "f3acd3118cd100c04f8edb8a")))
"""Ends of the names of Wave64's chunks."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes that a file states and does not hold, or holds and does not state. 0 where its format states no size."""

    missing: int = 0
    trailing: int = 0
    indexed: bool = True
    """Whether an MP4 file has the index without which its sound cannot be found."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing at the file's end. Some programs count a header too much."""
        return self.indexed and self.missing <= SLACK


@dataclass(frozen=True, slots=True)
class _Chunks:
    """How a format writes its chunks: a name and a size each, one after the other."""

    start: int
    header: struct.Struct
    align: int = 1
    holds_header: bool = False
    """Whether the size counts the header."""


CHUNKS = {
    b"RIFF": _Chunks(0, struct.Struct("<4sI"), align=2),  # WAV, AVI
    b"FORM": _Chunks(0, struct.Struct(">4sI"), align=2),  # AIFF
    b"riff": _Chunks(0, struct.Struct("<16sQ"), align=8, holds_header=True),  # Sony Wave64
    b"caff": _Chunks(8, struct.Struct(">4sq")),
}


def measure_extent(source: Source) -> Extent:
    """Read the file's own sizes. Moves the position: for files that were read to their end."""
    head = source.read_at(0, 12)
    if head[:4] in CHUNKS:
        return _chunks_extent(source, CHUNKS[head[:4]])
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return _mp4_extent(source)
    if head[:4] == b"OggS":
        return _ogg_extent(source)
    if head[:8] == b"0&\xb2u\x8ef\xcf\x11":
        return _asf_extent(source)
    return Extent()


def _chunks_extent(source: Source, chunks: _Chunks) -> Extent:
    position, header = chunks.start, chunks.header
    for _ in range(MAX_PARTS):
        if position + header.size > source.length:
            break
        name, size = header.unpack(source.read_at(position, header.size))
        if not _is_name(name):
            return Extent(trailing=0 if name.startswith(TAGS) else source.length - position)
        if size <= 0 or (len(name) == 4 and size >= OPEN_ENDED):
            return Extent()
        position += max(header.size, size) if chunks.holds_header else header.size + size
        position += -position % chunks.align
    return Extent(missing=max(0, position - source.length - chunks.align + 1))  # the last padding may be left out


def _is_name(name: bytes) -> bool:
    return name[4:] in WAVE64 if len(name) == 16 else all(0x20 <= byte < 0x7F for byte in name)


def _mp4_extent(source: Source) -> Extent:
    position, indexed = 0, False
    for _ in range(MAX_PARTS):
        if position + 16 > source.length:
            break
        size, kind, long_size = struct.unpack(">I4sQ", source.read_at(position, 16))
        indexed |= kind == b"moov"
        size = long_size if size == 1 else size
        if size < 8:  # the box that runs to the end, or no box
            return Extent(indexed=indexed)
        position += size
    return Extent(missing=max(0, position - source.length), indexed=indexed)


def _ogg_extent(source: Source) -> Extent:
    """Whether the last page is whole. How much should follow it is not stated.

    The mark of a stream's last page is not asked for: voice messages of Telegram for Android lack it.
    """
    tail = source.read_at(max(0, source.length - LARGEST_OGG_PAGE), LARGEST_OGG_PAGE)
    page = tail[tail.rfind(b"OggS") :] if b"OggS" in tail else b""
    segments = page[OGG_HEADER : OGG_HEADER + page[OGG_HEADER - 1]] if len(page) >= OGG_HEADER else b""
    end = OGG_HEADER + len(segments) + sum(segments)
    is_whole = bool(segments) and (end <= len(page) <= end + SLACK or page[end:].startswith(TAGS))
    return Extent(missing=0 if is_whole else LARGEST_OGG_PAGE)


def _asf_extent(source: Source) -> Extent:
    (header_size,) = struct.unpack("<Q", source.read_at(16, 8).ljust(8, b"\0"))
    (data_size,) = struct.unpack("<Q", source.read_at(min(header_size, source.length) + 16, 8).ljust(8, b"\0"))
    return Extent(missing=max(0, header_size + data_size - source.length))
