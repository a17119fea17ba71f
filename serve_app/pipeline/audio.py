"""Measure an uploaded recording (`probe`) and decode it to samples (`decode`).

Headers are claims, so lengths come from packets and samples. `pipeline.media_file` opens files safely.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np

from serve_app.errors import MediaUnreadable
from serve_app.pipeline.chained import pieces
from serve_app.pipeline.media_file import default_track
from serve_app.pipeline.mixdown import to_recording
from serve_app.pipeline.resample import TOLERANCE_S, check_audible_length
from serve_app.pipeline.track_reader import Track, TrackReader
from serve_app.pipeline.tracks import Sketch, reasons_to_leave_out, sketch
from serve_app.pipeline.types import InputReport, InputTrack, Media, Recording, Waveform

PROBE_DEADLINE_S, PROBE_DECODE_DEADLINE_S = 20.0, 100.0
DECODE_DEADLINE_S = 300.0
"""Wall clock. An hour of AAC decodes in about 3 s on one core, an hour of stereo Opus in 15 s."""
FULL_DECODE_S = 300.0
"""`probe` decodes recordings up to this length, so that the price is that of what `decode` finds."""
MAX_MIXED_S = 8 * 3600.0
"""Seconds of all mixed tracks together: 1.8 GB of samples."""
COMPARING = Lock()
"""Tracks of one file at a time: four hours take 0.9 GB."""


def probe(path: Path, max_duration_s: float | None = None) -> Media:
    """Measure the file. Reads all of it; decodes it where it is short or its packets do not tell the price.

    Raises `MediaUnreadable`, `NoAudioTrack`, `MediaEncrypted`, `MediaTooShort` and, where a limit is given,
    `MediaTooLong`.
    """
    reader = TrackReader(path, pieces(path), time.monotonic() + PROBE_DEADLINE_S, max_duration_s)
    with reader.open_first() as media:
        count, container = len(media.tracks), media.container.format.name
        codec = media.tracks[default_track(media.tracks)].codec_context
        name, channels, sample_rate = codec.name, codec.channels, codec.sample_rate
    scans = [reader.scan(index) for index in range(count)]
    duration_s, sound_s = max(scan.duration_s for scan in scans), max(scan.sound_s for scan in scans)
    differ = sound_s - min(scan.sound_s for scan in scans) > TOLERANCE_S  # the price is that of the tracks in use
    if sound_s <= FULL_DECODE_S or differ or any(scan.doubtful for scan in scans):
        reader = replace(reader, deadline=time.monotonic() + PROBE_DECODE_DEADLINE_S)
        tracks = [reader.read(index, channels=0) for index in _choose(reader).used]
        sound_s, duration_s = _checked_sound_s(tracks), max(track.duration_s for track in tracks)
    # whole milliseconds: the sum of 60 s of packets must not come out as a started 61st second
    return Media(round(duration_s, 3), round(sound_s, 3), container, name, channels, sample_rate)


def decode(path: Path, max_duration_s: float, deadline_s: float = DECODE_DEADLINE_S) -> Recording:
    """Return the file's speech as 16 kHz mono float32, and channels where each carries one speaker.

    Tracks that differ are mixed, or become channels. Damaged places are skipped, and a file cut short gives what is
    left of it; `report` says so. Pauses that exist only as jumps in the time stamps become silence, so that times agree
    with what a player shows. Raises as `probe` does.
    """
    reader = TrackReader(path, pieces(path), time.monotonic() + deadline_s, max_duration_s)
    choice = _choose(reader)
    tracks = [reader.read(index, channels=2 if len(choice.used) == 1 else 1) for index in choice.used]
    _checked_sound_s(tracks)
    return replace(to_recording(_channels(tracks)), report=_report(tracks, choice.left_out))


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which tracks of a file are read."""

    used: Sequence[int]
    """Indices of usable tracks."""
    left_out: Mapping[int, str]
    """Why each other track is not read, by number."""


def _choose(reader: TrackReader) -> _Choice:
    with reader.open_first() as media:
        numbers, default, left_out = media.numbers, default_track(media.tracks), dict(media.left_out)
    if len(numbers) == 1:
        return _Choice([0], left_out)
    if len(reader.spans) > 1:  # their tracks cannot be compared with each other
        others = [number for number in numbers if number != numbers[default]]
        return _Choice([default], left_out | dict.fromkeys(others, "joined recordings, of which one track is read"))
    with COMPARING:  # one after the other: samples of all tracks at once would not fit into memory
        sketches = [_sketch(reader, index) for index in range(len(numbers))]
    reasons = reasons_to_leave_out(sketches, default)
    used = [index for index, reason in enumerate(reasons) if reason is None]
    room = int(MAX_MIXED_S // max(1.0, *(sketches[index].duration_s for index in used)))
    for index in used[room:]:
        reasons[index] = f"more than {room} tracks of this length are not mixed"
    left_out |= {number: reason for number, reason in zip(numbers, reasons, strict=True) if reason}
    return _Choice(used[:room], left_out)


def _sketch(reader: TrackReader, index: int) -> Sketch:
    track = reader.read(index, channels=1)
    return sketch(track.number, track.channels[0], track.language)


def _checked_sound_s(tracks: Sequence[Track]) -> float:
    """Length of the longest track without gaps. Raises where it is too short, or where most of it is damaged."""
    longest = max(tracks, key=lambda track: track.sound_s)
    failed, packets = longest.health.failed, longest.health.packets
    if failed > max(1, packets // 2):
        raise MediaUnreadable(
            f"Most of the audio cannot be decoded: {failed} of {packets} packets of track {longest.number}. The file "
            "is damaged, or its format does not suit its codec. Send MP3, M4A, WAV or WebM."
        )
    check_audible_length(longest.sound_s)
    return longest.sound_s


def _channels(tracks: Sequence[Track]) -> Waveform:
    """The channels of a single track, or each of several tracks as one channel, padded to one length."""
    if len(tracks) == 1:
        return tracks[0].channels
    length = max(track.channels.shape[1] for track in tracks)
    return np.stack([np.pad(track.channels[0], (0, length - track.channels.shape[1])) for track in tracks])


def _report(tracks: Sequence[Track], left_out: Mapping[int, str]) -> InputReport:
    several = len(tracks) + len(left_out) > 1
    warnings = [
        warning
        for track in tracks
        for warning in track.health.warnings(
            f" (track {track.number})" if several else "", track.sound_s, track.duration_s
        )
    ]
    listed = [*(InputTrack(track.number, used=True) for track in tracks)]
    listed += [InputTrack(number, used=False, reason=reason) for number, reason in left_out.items()]
    return InputReport(tuple(sorted(listed, key=lambda track: track.track)), tuple(dict.fromkeys(warnings)))
