"""Files to sound: what an upload holds (`probe`) and its samples (`decode`), from the file's own bytes alone.

Uploads are hostile until proven otherwise. libav sees a byte stream instead of a path, only the demuxers and decoders
of recordings people send, and may open nothing else: playlists, manifests and external tracks are refused. Headers are
claims; lengths come from packets and samples. Every read checks a deadline, so that a file made to keep a parser busy
ends as unreadable.
"""

import logging
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition

from serve_app.errors import (
    MediaEncrypted,
    MediaTooLong,
    MediaTooShort,
    MediaUnreadable,
    NoAudioTrack,
    RecruitScreenError,
)
from serve_app.pipeline.mixdown import to_recording
from serve_app.pipeline.resample import (
    MAX_CHANNELS,
    MAX_RATE,
    MIN_DURATION_S,
    MIN_RATE,
    TOLERANCE_S,
    Collector,
    gap_s,
)
from serve_app.pipeline.types import SAMPLE_RATE, Media, Recording

if TYPE_CHECKING:
    from av.packet import Packet  # generic in the stubs only

log = logging.getLogger(__name__)

FORMATS = "wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,ogg,mov,mp4,matroska,webm,asf,amr,amrnb,amrwb,avi,flv,mpeg,mpegts"
"""Demuxers that read one file of sound. Not among them: hls, dash, concat, pls, sdp, image2 and raw formats."""

NAMED_CODECS = frozenset(
    (
        *("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "alac", "flac", "vorbis"),
        *("opus", "libopus", "speex", "ac3", "eac3", "wmav1", "wmav2", "wmapro", "wmavoice", "wmalossless"),
        *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms", "ilbc", "qcelp", "nellymoser"),
        *("g722", "g723_1", "g726", "g726le", "g729", "truespeech"),
        *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "adpcm_yamaha"),
    )
)
"""libav's own names of decoders; beside them all of PCM."""
CODECS = frozenset(name for name in av.codecs_available if name in NAMED_CODECS or name.startswith("pcm_"))
"""Decoders that may run. Video decoders, the larger part of libav's history of crashes, stay out."""

PROBE_DEADLINE_S = 20.0
DECODE_DEADLINE_S = 300.0
"""Wall clock. An hour of AAC decodes in about 3 s on one core, an hour of stereo Opus in 15 s."""


def probe(path: Path, max_duration_s: float | None = None) -> Media:
    """Say what the file holds. Reads all of it, decodes only the first second.

    Raises `MediaUnreadable`, `NoAudioTrack`, `MediaEncrypted`, `MediaTooShort` and, where a limit is given,
    `MediaTooLong`.
    """
    with _open(path, PROBE_DEADLINE_S) as track:
        duration_s = _measure(track, max_duration_s)
        if duration_s < MIN_DURATION_S:
            raise MediaTooShort
        codec = track.stream.codec_context
        return Media(
            duration_s=duration_s,
            container=track.container.format.name,
            codec=codec.name,
            channels=codec.channels,
            sample_rate=codec.sample_rate,
        )


def decode(path: Path, max_duration_s: float, deadline_s: float = DECODE_DEADLINE_S) -> Recording:
    """Return the file's speech track as 16 kHz mono float32, and its two channels where each carries one speaker.

    Damaged places are skipped and a file cut short gives what is left of it; pauses that exist only as jumps in the
    time stamps become silence, so that times agree with what a player shows. Raises as `probe` does.
    """
    with _open(path, deadline_s) as track:
        collected = Collector(track.tick_s, track.origin_s, max_duration_s)
        for frame in _frames(track):
            collected.add(frame)
        return to_recording(collected.finish())


@dataclass(slots=True)
class _Source:
    """The file as libav sees it: bytes that can be read until the deadline."""

    file: Any
    deadline: float
    name: str
    """No name but the suffix: it helps where junk stands before the sound, and the whitelist bounds what it can do."""

    def check(self) -> None:
        if time.monotonic() > self.deadline:
            raise MediaUnreadable("The file takes too long to read; it is probably damaged.")

    def read(self, size: int) -> bytes:
        self.check()
        return bytes(self.file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return int(self.file.seek(offset, whence))
        except OSError:  # before the start, where a damaged index points
            return -1

    def tell(self) -> int:
        return int(self.file.tell())


@dataclass(slots=True)
class _Track:
    """The opened file and the stream in it that is listened to."""

    source: _Source
    container: InputContainer
    stream: AudioStream
    packets: int = 0
    failed: int = 0

    @property
    def tick_s(self) -> float:
        """Seconds of one unit of the stream's time stamps."""
        return float(self.stream.time_base or 0)

    @property
    def origin_s(self) -> float:
        """Time stamp that counts as 0:00, the earliest of any stream: speech may start later than the picture."""
        return (self.container.start_time or 0) / 1_000_000


class _OtherFile(Exception):
    """The recording asked for another file."""


def _refuse(url: str, *_: Any) -> NoReturn:
    raise _OtherFile(url)


@contextmanager
def _open(path: Path, deadline_s: float) -> Iterator[_Track]:
    """Open the file on its speech track.

    Every exception of the media library becomes `MediaUnreadable`: besides its own it raises `UnicodeDecodeError`,
    `ValueError`, `OverflowError` and others on bytes it does not expect. An `OSError` of the storage passes through.
    """
    options = {"format_whitelist": FORMATS, "codec_whitelist": ",".join(sorted(CODECS))}
    options["protocol_whitelist"] = ""
    try:
        with Path(path).open("rb") as file:
            source = _Source(file, time.monotonic() + deadline_s, f"upload{Path(path).suffix}")
            with av.open(
                source, "r", options=options, metadata_errors="replace", buffer_size=1 << 18, io_open=_refuse
            ) as container:
                yield _Track(source, container, _choose(container))
    except RecruitScreenError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, FFmpegError):
            raise
        if not isinstance(error, FFmpegError | _OtherFile):
            log.warning("unexpected exception while reading a recording", exc_info=True)
        raise MediaUnreadable from error


def _choose(container: InputContainer) -> AudioStream:
    """Pick the track marked default, else the first one, among those that have a decoder; drop all the others."""
    audio = list(container.streams.audio)
    if not audio:
        raise NoAudioTrack
    known = [
        stream for stream in audio if stream.codec_context is not None and stream.codec_context.codec.name in CODECS
    ]
    if not known:
        raise MediaUnreadable("The audio is in a format that is not supported. Send MP3, M4A, WAV or WebM.")
    chosen = min(known, key=lambda stream: not stream.disposition & Disposition.default)
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == chosen.index else Discard.all
    if _tag(chosen) in ("enca", "drms"):  # common encryption; FairPlay
        raise MediaEncrypted
    _refuse_absurd(chosen)
    return chosen


def _tag(stream: AudioStream) -> str:
    """The container's four-character code of the codec, "" where it is a number (WAV, AVI and ASF: 0xff is AAC)."""
    try:
        return stream.codec_tag
    except UnicodeDecodeError:
        return ""


def _refuse_absurd(stream: AudioStream) -> None:
    codec = stream.codec_context
    # zero: not known before the first frame is decoded
    if codec.sample_rate and not MIN_RATE <= codec.sample_rate <= MAX_RATE:
        raise MediaUnreadable(f"A sample rate of {codec.sample_rate} Hz is not a recording of speech.")
    if codec.channels > MAX_CHANNELS:
        raise MediaUnreadable(f"{codec.channels} channels are more than a recording of speech has.")


def _packets(track: _Track) -> Iterator["Packet[AudioStream]"]:
    """Give the track's packets up to the end or the first place where the container is broken."""
    try:
        for packet in track.container.demux(track.stream):
            track.source.check()
            track.packets += 1
            yield packet
    except FFmpegError:
        return


def _decoded(track: _Track, packet: "Packet[AudioStream]") -> list[AudioFrame]:
    """Decode one packet; a damaged one gives nothing. Raises `MediaEncrypted`."""
    if packet.has_sidedata("encryption_info"):
        raise MediaEncrypted
    try:
        return packet.decode()
    except FFmpegError:
        track.failed += 1
        return []


def _frames(track: _Track) -> Iterator[AudioFrame]:
    """Give all frames that decode. Raises `MediaUnreadable` where most packets do not: the rest would be noise."""
    for packet in _packets(track):
        yield from _decoded(track, packet)
    if track.failed > max(1, track.packets // 2):
        raise MediaUnreadable("Most of the audio in the file is damaged.")


def _measure(track: _Track, max_duration_s: float | None) -> float:
    """Add up the packets' durations and gaps in seconds.

    Durations are claims as well, so the packets of the first second are decoded: where they hold over 1.5 times what
    they claim, the whole file is taken to.
    """
    tick_s, limit_s = track.tick_s, float("inf") if max_duration_s is None else max_duration_s + TOLERANCE_S
    position_s = claimed_s = heard_s = 0.0
    for packet in _packets(track):
        length_s = (packet.duration or 0) * tick_s
        stamp_s = None if packet.pts is None else packet.pts * tick_s - track.origin_s
        position_s += gap_s(stamp_s, position_s) if length_s else max(0.0, (stamp_s or 0.0) - position_s)
        position_s += length_s - _padding(packet)
        if heard_s < 1.0:
            heard_s += sum(frame.samples / frame.sample_rate for frame in _decoded(track, packet))
            claimed_s += length_s
        if position_s > limit_s:
            raise MediaTooLong
    if not heard_s:
        raise MediaUnreadable
    # whole milliseconds: the sum of 60 s of packets must not come out as a started 61st second
    return round(position_s * (heard_s / claimed_s if heard_s > 1.5 * claimed_s > 0 else 1.0), 3)


def _padding(packet: "Packet[AudioStream]") -> float:
    """Seconds at the packet's ends that the encoder added and the decoder drops: at most 0.2 s in a file."""
    if not packet.has_sidedata("skip_samples"):
        return 0.0
    start, end = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
    rate = int(packet.stream.codec_context.sample_rate or SAMPLE_RATE)
    return min(int(start + end) / rate, 0.2)
