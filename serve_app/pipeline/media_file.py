"""Open an uploaded media file safely.

Uploads are hostile until proven otherwise. libav reads a byte stream instead of a path, only the demuxers and decoders
of recordings people send, and may open nothing else: playlists, manifests and external tracks are refused. Every read
checks a deadline, so that a file made to keep a parser busy ends as unreadable.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition

from serve_app.errors import MediaEncrypted, MediaUnreadable, NoAudioTrack, RecruitScreenError
from serve_app.pipeline.file_extent import measure_extent
from serve_app.pipeline.media_source import Source, open_source
from serve_app.pipeline.resample import MAX_CHANNELS, MAX_RATE, MIN_RATE

log = logging.getLogger(__name__)

FORMATS = "wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,ogg,mov,mp4,matroska,webm,asf,amr,amrnb,amrwb,avi,flv,mpeg,mpegts"
"""Demuxers that read one file of sound. Not among them: hls, dash, concat, pls, sdp, image2 and raw formats."""
STAMPED = frozenset(("ogg", "mov", "matroska", "asf", "flv", "mpeg", "mpegts"))
"""Containers that store time stamps. In the others libav computes them from sizes and frame lengths."""

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

ENCRYPTED = "encrypted"
MAX_TRACKS = 16
"""Audio tracks that are looked at. Recording software writes up to 6."""
FIRST_PACKETS, VIDEO_PACKETS = 400, 8
"""Where the picture begins is looked for in the first FIRST_PACKETS packets, at most VIDEO_PACKETS of a stream."""
WAV_PACKET = 1 << 13
"""Bytes read from WAV at once. 30 minutes at 16 kHz decode in 0.29 s; in 0.45 s with libav's own 2 kB, and 64 kB make
opening slow."""
END_MISSING = (
    "The end of the file is missing, and without it the sound cannot be read. Upload the whole file again; if it was "
    "cut where it was recorded, export it again."
)


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An opened file and its audio tracks."""

    source: Source
    container: InputContainer
    tracks: Sequence[AudioStream]
    """Those that can be decoded, at least one."""
    left_out: Mapping[int, str]
    """Why each other track cannot be used, by its number among all audio tracks, from 1."""

    @property
    def numbers(self) -> Sequence[int]:
        """The number of each of `tracks` among all audio tracks, from 1."""
        return [number for number in range(1, len(self.container.streams.audio) + 1) if number not in self.left_out]

    @property
    def format(self) -> str:
        """Libav's first name of the container format."""
        return str(self.container.format.name).split(",")[0]

    def select(self, track: int) -> AudioStream:
        """Read this track and skip all other streams."""
        chosen = self.tracks[track]
        for stream in self.container.streams:
            stream.discard = Discard.default if stream.index == chosen.index else Discard.all
        return chosen


class _OtherFile(Exception):
    """The recording asked for another file."""


def _refuse(url: str, *_: Any) -> NoReturn:
    raise _OtherFile(url)


@contextmanager
def open_media(path: Path, deadline: float, span: tuple[int, int] | None = None) -> Iterator[MediaFile]:
    """Open the file, or the bytes of `span` alone, with its audio tracks; `deadline` is on the monotonic clock.

    Raises `NoAudioTrack`, `MediaEncrypted` and `MediaUnreadable`. Every exception of the media library becomes
    `MediaUnreadable`: besides its own it raises `UnicodeDecodeError`, `ValueError`, `OverflowError` and others on bytes
    it does not expect. An `OSError` of the storage passes through.
    """
    options = {
        "format_whitelist": FORMATS,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "",
        "max_size": str(WAV_PACKET),
    }
    try:
        with (
            open_source(path, deadline, span) as source,
            av.open(
                source, "r", options=options, metadata_errors="replace", buffer_size=1 << 18, io_open=_refuse
            ) as container,
        ):
            yield MediaFile(source, container, *_tracks(container))
    except RecruitScreenError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, FFmpegError):
            raise
        if not isinstance(error, FFmpegError | _OtherFile):
            log.warning("unexpected exception while reading a recording", exc_info=True)
        with open_source(path, deadline, span) as source:
            extent = measure_extent(source)
        raise (MediaUnreadable() if extent.is_whole else MediaUnreadable(END_MISSING)) from error


def default_track(tracks: Sequence[AudioStream]) -> int:
    """Index of the track marked default, else of the first one."""
    return min(range(len(tracks)), key=lambda index: not tracks[index].disposition & Disposition.default)


def origin_s(path: Path, deadline: float, span: tuple[int, int]) -> float:
    """Return the time stamp that players show as 0:00: the earliest of sound and picture.

    libav's own start of a video stream is too early where no decoder of the video runs (H.264 in Matroska and ASF), so
    the stamps of the first packets are read, in an open of their own. ASF stores only the order of decoding, so a video
    with reordered pictures tells nothing there.
    """
    with open_media(path, deadline, span) as media:
        if media.format not in STAMPED:
            return 0.0
        wanted = {
            stream.index: VIDEO_PACKETS
            for stream in media.container.streams.video
            if not stream.disposition & Disposition.attached_pic
        }
        stamps = [float(s.start_time * s.time_base) for s in media.tracks if s.start_time is not None and s.time_base]
        if not wanted:
            return min(stamps, default=0.0)
        try:
            for number, packet in enumerate(media.container.demux()):
                if wanted.get(packet.stream_index, 0) and packet.pts is not None and packet.time_base:
                    wanted[packet.stream_index] -= 1
                    if media.format != "asf" or packet.pts == packet.dts:
                        stamps.append(float(packet.pts * packet.time_base))
                if number > FIRST_PACKETS or not any(wanted.values()):
                    break
        except FFmpegError:
            pass  # what was read so far counts
        return min(stamps, default=0.0)


def _tracks(container: InputContainer) -> tuple[list[AudioStream], dict[int, str]]:
    """The tracks that can be decoded, and why each other one cannot, by number."""
    audio = list(container.streams.audio)
    if not audio:
        raise NoAudioTrack
    left_out = {number: reason for number, stream in enumerate(audio, 1) if (reason := _unusable(stream))}
    usable = [stream for number, stream in enumerate(audio, 1) if number not in left_out]
    if not usable and ENCRYPTED in left_out.values():
        raise MediaEncrypted
    if not usable:
        raise MediaUnreadable(f"The audio cannot be decoded: {left_out[1]}. Send MP3, M4A, WAV or WebM.")
    left_out |= {audio.index(stream) + 1: f"only {MAX_TRACKS} tracks are read" for stream in usable[MAX_TRACKS:]}
    return usable[:MAX_TRACKS], left_out


def _unusable(stream: AudioStream) -> str | None:
    """Why the track cannot be decoded; None where it can."""
    codec = stream.codec_context
    if codec is None or codec.codec.name not in CODECS:
        return "format not supported"
    if _tag(stream) in ("enca", "drms"):  # common encryption; FairPlay
        return ENCRYPTED
    # zero: not known before the first frame is decoded
    if codec.sample_rate and not MIN_RATE <= codec.sample_rate <= MAX_RATE:
        return f"sample rate of {codec.sample_rate} Hz, where {MIN_RATE} to {MAX_RATE} Hz are accepted"
    if codec.channels > MAX_CHANNELS:
        return f"{codec.channels} channels, where at most {MAX_CHANNELS} are accepted"
    return None


def _tag(stream: AudioStream) -> str:
    """The container's four-character code of the codec, "" where it is a number (WAV, AVI and ASF: 0xff is AAC)."""
    try:
        return stream.codec_tag
    except UnicodeDecodeError:
        return ""
