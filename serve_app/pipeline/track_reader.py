"""Read one audio track of a file: its packets, its decoded frames, and what of it was lost."""

import re
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError

from serve_app.errors import MediaEncrypted, MediaUnreadable, NoAudioTrack, RecruitScreenError
from serve_app.pipeline.chained import Span
from serve_app.pipeline.file_extent import measure_extent
from serve_app.pipeline.media_file import STAMPED, MediaFile, open_media, origin_s
from serve_app.pipeline.resample import Collector, Timeline, check_length
from serve_app.pipeline.types import SAMPLE_RATE, Waveform
from serve_app.pipeline.unframed import UNFRAMED, pieces_of_frames

if TYPE_CHECKING:
    from av.packet import Packet  # generic in the stubs only

CHECKED_S, MISSTATED = 1.0, 0.1
"""CHECKED_S of a track are decoded; packets wrong about them by more than this share are not believed."""
VARIATION = 2.0
"""Later packets, whose length differs by more than this factor from those that were checked, are not believed."""
MAX_BREAKS = 50
"""Places where the container is broken and reading goes on after them."""
PAUSE_S = 1.0
"""Longer than a codec that sends nothing in pauses stays quiet (Opus: 0.4 s): a recorder that paused, or lost data."""
LOST_S = 0.5
"""Less loss than this is not worth a warning: encoders cut in mid-frame lose as much."""
TRAILING_S = 2.0
"""As much sound as the bytes behind a recording's end must be able to hold to be worth a warning; tags hold less."""
STATES_LENGTH = frozenset(("mov", "matroska", "flac", "flv", "aiff", "au", "ogg", "avi"))
"""Containers whose stated length is not an estimate of libav's."""
PIECE_ERRORS = (MediaUnreadable, NoAudioTrack)
"""What does not end the reading of a joined file."""
LONGEST_FRAME = {"mp3": 2881, "mp3float": 2881, "mp2": 2881, "ac3": 3840, "eac3": 4096, "aac": 8191}
"""Bytes. Where libav finds frames by their first bytes, damage makes a packet longer than any frame."""
XING_FRAMES = re.compile(rb"(?:Xing|Info)\0\0\0[\1\3\5\7\x09\x0b\x0d\x0f](.{4})", re.DOTALL)
"""Where the first frame of an MP3 file states their number."""


@dataclass(slots=True)
class Health:
    """What went wrong while a track was read."""

    packets: int = 0
    packet_bytes: int = 0
    junk_bytes: int = 0
    """Those of packets that are longer than a frame can be."""
    first_byte: int = 0
    """Where the first packet lies in the file."""
    failed: int = 0
    breaks: int = 0
    lost_s: float = 0.0
    stated_s: float = 0.0
    """Length that the container states; 0 where it states none."""
    is_cut: bool = False
    """Whether bytes are missing at the file's end."""
    trailing_s: float = 0.0
    """Sound that may lie behind the end that the file's header states."""
    pauses_s: list[float] = field(default_factory=list)
    """Gaps of PAUSE_S or more between the first and the last sound."""
    unread_pieces: list[int] = field(default_factory=list)

    def warnings(self, track: str, sound_s: float, duration_s: float) -> Iterator[str]:
        if self.lost_s >= LOST_S or self.breaks:
            about = f"about {self.lost_s:.1f} s" if self.lost_s >= LOST_S else "a part"
            yield f"Damaged{track}: {about} could not be decoded; {sound_s:.1f} s were read."
        elif self.stated_s - duration_s > max(2.0, 0.02 * self.stated_s):
            yield f"Incomplete{track}: the file states {self.stated_s:.1f} s, but {duration_s:.1f} s could be read."
        elif self.is_cut:
            yield f"Incomplete{track}: the end of the file is missing; {duration_s:.1f} s could be read."
        if self.trailing_s >= TRAILING_S:
            yield (
                f"Unread{track}: the file's header covers {duration_s:.1f} s. More bytes follow, which players do not "
                f"play either; if they are sound, it is about {self.trailing_s:.0f} s."
            )
        if self.pauses_s:
            total = f"{sum(self.pauses_s):.1f} s in {len(self.pauses_s)} place(s)"
            yield f"Gaps{track}: the file holds no sound for {total}; they are silent and not charged."
        for piece in self.unread_pieces:
            yield f"Part {piece} of the joined recordings in the file could not be read."


@dataclass(frozen=True, slots=True)
class Track:
    """A track that was read to its end."""

    number: int
    """From 1, among all audio tracks of the file."""
    channels: Waveform
    """Shape (channels, samples)."""
    duration_s: float
    """Length in seconds, sound and gaps."""
    sound_s: float
    health: Health
    language: str | None


@dataclass(slots=True)
class Scan:
    """Lengths of a track as its packets state them."""

    duration_s: float = 0.0
    sound_s: float = 0.0
    doubtful: bool = False
    """Whether the packets cannot be believed."""


@dataclass(frozen=True, slots=True)
class TrackReader:
    """Reads tracks of a file, each through all pieces of a joined one. `index` counts the usable tracks from 0."""

    path: Path
    spans: Sequence[Span]
    deadline: float
    """On the monotonic clock."""
    max_duration_s: float | None

    def open(self, piece: int) -> AbstractContextManager[MediaFile]:
        """See `open_media`."""
        return open_media(self.path, self.deadline, self.spans[piece])

    @contextmanager
    def open_first(self) -> Iterator[MediaFile]:
        """Open the first piece that can be read. Raises what opening the first one of all raises where none can."""
        refusals: list[RecruitScreenError] = []
        for piece in range(len(self.spans)):
            with ExitStack() as opened:
                try:
                    media = opened.enter_context(self.open(piece))
                except PIECE_ERRORS as error:
                    refusals.append(error)
                    continue
                yield media
                return
        raise refusals[0]

    def scan(self, index: int) -> Scan:
        """Add up the lengths of a track's packets, as long as they can be believed."""
        scan = Scan()
        for piece in range(len(self.spans)):
            try:
                with self.open(piece) as media:
                    stream, timeline, _ = self._begin(media, index, piece)
                    _scan_piece(media, stream, timeline, scan, self.max_duration_s)
            except PIECE_ERRORS:
                if self._ends_here():
                    raise
                scan.doubtful = True
            if scan.doubtful:
                break
        return scan

    def read(self, index: int, channels: int) -> Track:
        """Decode a track. Keeps `channels` of it; more are mixed; 0 keeps no samples."""
        limit_s = float("inf") if self.max_duration_s is None else self.max_duration_s
        track = Track(index + 1, np.zeros((1, 0), np.float32), 0.0, 0.0, Health(), None)
        blocks: list[Waveform] = []
        for piece in range(len(self.spans)):
            try:
                with self.open(piece) as media:
                    stream, timeline, start_s = self._begin(media, index, piece)
                    collector = Collector(channels, limit_s - track.duration_s)
                    for frame in _frames(media, stream, track.health):
                        _add(collector, timeline, frame, stream, track.health)
                    _compare_with_file(media, stream, start_s, timeline.sound_s, track.health)
                    number, language = media.numbers[media.tracks.index(stream)], stream.language
            except PIECE_ERRORS:
                if self._ends_here():
                    raise
                track.health.unread_pieces.append(piece + 1)
                continue
            duration_s, sound_s = track.duration_s + timeline.duration_s, track.sound_s + timeline.sound_s
            check_length(duration_s, self.max_duration_s)
            track.health.pauses_s += [gap_s for at_s, gap_s in timeline.gaps if at_s > 0 and gap_s >= PAUSE_S]
            blocks.append(collector.finish(timeline.gaps))
            track = replace(track, number=number, duration_s=duration_s, sound_s=sound_s, language=language)
        return replace(track, channels=_joined(blocks))

    def _begin(self, media: MediaFile, index: int, piece: int) -> tuple[AudioStream, Timeline, float]:
        """Select the track; return it with an empty timeline and the time stamp of 0:00."""
        stream = media.select(min(index, len(media.tracks) - 1))
        start_s = origin_s(self.path, self.deadline, self.spans[piece])
        pauses = stream.codec_context.name in ("opus", "libopus")
        return stream, Timeline(start_s, stamped=media.format in STAMPED, pauses=pauses), start_s

    def _ends_here(self) -> bool:
        """Whether a piece that cannot be read ends it all: there is no other one, or no time for it."""
        return len(self.spans) == 1 or time.monotonic() > self.deadline


def _joined(blocks: Sequence[Waveform]) -> Waveform:
    """Put the pieces of a joined file, each (channels, samples), one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    width = max((len(block) for block in blocks), default=1)
    wide = [np.broadcast_to(block, (width, block.shape[1])) if len(block) == 1 else block for block in blocks]
    return np.concatenate([np.zeros((width, 0), np.float32), *wide], axis=1)


def _scan_piece(
    media: MediaFile, stream: AudioStream, timeline: Timeline, scan: Scan, max_duration_s: float | None
) -> None:
    tick_s, health = float(stream.time_base or 0), Health()
    decoded_s = claimed_s = longest_s = 0.0
    checked = unstated = 0
    scan.doubtful |= _is_unframed(media, stream)
    if scan.doubtful:
        return
    for packet in _packets(media, stream, health):
        stated_s = (packet.duration or 0) * tick_s
        length_s = stated_s - _padding_s(packet)
        timeline.add(None if packet.pts is None else packet.pts * tick_s, length_s)
        unstated += not packet.duration and packet.size > 0
        if decoded_s < CHECKED_S:
            decoded_s += sum(frame.samples / frame.sample_rate for frame in _decoded(packet, health))
            claimed_s, longest_s, checked = claimed_s + length_s, max(longest_s, stated_s), health.packets
            continue
        misstated = abs(decoded_s - claimed_s) > MISSTATED * decoded_s
        holds_gap = stated_s > VARIATION * longest_s  # MP4 writes gaps as long packets
        if misstated or holds_gap or packet.is_corrupt or packet.has_sidedata("new_extradata"):
            scan.doubtful = True
            return
        check_length(scan.sound_s + timeline.sound_s, max_duration_s)
    expected_s = health.packets * decoded_s / max(checked, 1)
    varies = not expected_s <= VARIATION * timeline.sound_s <= VARIATION**2 * expected_s
    scan.doubtful |= varies or bool(health.breaks) or unstated > 0.01 * health.packets
    scan.duration_s += timeline.duration_s
    scan.sound_s += timeline.sound_s
    if not scan.doubtful:
        check_length(scan.duration_s, max_duration_s)


def _padding_s(packet: "Packet[AudioStream]") -> float:
    """Seconds at the packet's ends that the encoder added and the decoder drops: at most 0.2 s in a file."""
    if not packet.has_sidedata("skip_samples"):
        return 0.0
    start, end = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
    rate = int(packet.stream.codec_context.sample_rate or SAMPLE_RATE)
    return min(int(start + end) / rate, 0.2)


def _compare_with_file(media: MediaFile, stream: AudioStream, start_s: float, sound_s: float, health: Health) -> None:
    """Compare what was read with what the container states."""
    extent, length = measure_extent(media.source), max(1, media.source.length)
    stated_s = _stated_s(media, stream, start_s)
    if media.format in ("wav", "w64", "avi"):  # libav corrects the length to that of the file
        stated_s = max(stated_s, sound_s * (length + extent.missing) / length)
    health.stated_s += stated_s
    if media.format == "aac":  # libav drops what is no frame
        health.junk_bytes = max(0, length - health.first_byte - health.packet_bytes - LONGEST_FRAME["aac"])
    if not _is_unframed(media, stream):
        health.lost_s += sound_s * health.junk_bytes / max(1, health.packet_bytes - health.junk_bytes)
    health.is_cut |= not extent.is_whole
    health.trailing_s += sound_s * extent.trailing / max(1, length - extent.trailing)


def _stated_s(media: MediaFile, stream: AudioStream, start_s: float) -> float:
    """Length that the container states for the track, 0 where it states none."""
    if media.format == "mp3":  # libav guesses where it finds joined files
        frames = XING_FRAMES.search(media.source.read_at(0, 8192))
        codec = stream.codec_context
        return int.from_bytes(frames[1], "big") * (codec.frame_size or 0) / codec.sample_rate if frames else 0.0
    if stream.time_base is None or not (media.format in STATES_LENGTH or _is_unframed(media, stream)):
        return 0.0
    if stream.duration is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - start_s
    return (media.container.duration or 0) / 1_000_000


def _add(collector: Collector, timeline: Timeline, frame: AudioFrame, stream: AudioStream, health: Health) -> None:
    stamp_s = None if frame.pts is None else frame.pts * float(stream.time_base or 0)
    length_s = frame.samples / frame.sample_rate if frame.sample_rate else 0.0
    try:
        collector.add(frame)
    except (MediaUnreadable, FFmpegError):
        health.failed += 1
        health.lost_s += length_s
    else:
        timeline.add(stamp_s, length_s)


def _packets(media: MediaFile, stream: AudioStream, health: Health) -> Iterator["Packet[AudioStream]"]:
    """Yield the track's packets, also those after places where the container is broken."""
    longest = LONGEST_FRAME.get(stream.codec_context.name, sys.maxsize)
    for _ in range(MAX_BREAKS):
        try:
            for packet in media.container.demux(stream):
                media.source.check()
                health.packets += 1
                health.first_byte = packet.pos or 0 if health.packets == 1 else health.first_byte
                health.packet_bytes += packet.size
                health.junk_bytes += packet.size if packet.size > longest else 0
                yield packet
        except FFmpegError:
            health.breaks += 1
        else:
            return


def _frames(media: MediaFile, stream: AudioStream, health: Health) -> Iterator[AudioFrame]:
    """Yield all frames that can be decoded. Raises `MediaEncrypted`."""
    packets = _packets(media, stream, health)
    for packet in _rejoined(packets, stream) if _is_unframed(media, stream) else packets:
        yield from _decoded(packet, health)


def _is_unframed(media: MediaFile, stream: AudioStream) -> bool:
    """Whether the packets do not hold whole frames."""
    return stream.codec_context.name in UNFRAMED.get(media.format, ())


def _rejoined(packets: Iterator["Packet[AudioStream]"], stream: AudioStream) -> Iterator["Packet[AudioStream]"]:
    """Packets of whole frames from packets that were cut anywhere."""
    bytes_per_s = (stream.codec_context.bit_rate or 0) / 8
    tick_s = float(stream.time_base or 1)
    for piece in pieces_of_frames(map(bytes, packets), stream.codec_context):
        packet: Packet[AudioStream] = av.Packet(piece)  # type: ignore[assignment]  # of whichever stream is set
        packet.stream = stream
        packet.duration = round(len(piece) / bytes_per_s / tick_s) if bytes_per_s else 0
        yield packet


def _decoded(packet: "Packet[AudioStream]", health: Health) -> list[AudioFrame]:
    """Decode one packet; a damaged one gives nothing. Raises `MediaEncrypted`."""
    if packet.has_sidedata("encryption_info"):
        raise MediaEncrypted
    try:
        return packet.decode()
    except FFmpegError:
        health.failed += 1
        health.lost_s += float((packet.duration or 0) * (packet.stream.time_base or 0))
        return []
