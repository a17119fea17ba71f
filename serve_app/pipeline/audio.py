"""Measure an uploaded recording (`probe`) and decode it to samples (`decode`).

Headers are claims, so lengths come from packets and samples. `pipeline.media_file` opens files safely.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from serve_app.errors import MediaUnreadable
from serve_app.pipeline.chained import Span, pieces
from serve_app.pipeline.media_file import default_track, open_media
from serve_app.pipeline.mixdown import mix, to_recording
from serve_app.pipeline.resample import TOLERANCE_S, check_audible_length
from serve_app.pipeline.track_reader import Track, read_track, scan_track
from serve_app.pipeline.tracks import reasons_to_leave_out, sketch
from serve_app.pipeline.types import SAMPLE_RATE, InputReport, InputTrack, Media, Recording, Waveform

PROBE_DEADLINE_S, PROBE_DECODE_DEADLINE_S = 20.0, 100.0
DECODE_DEADLINE_S = 300.0
"""Wall clock. An hour of AAC decodes in about 3 s on one core, an hour of stereo Opus in 15 s."""
FULL_DECODE_S = 300.0
"""`probe` decodes recordings up to this length, so that the price is that of what `decode` finds."""


def probe(path: Path, max_duration_s: float | None = None) -> Media:
    """Measure the file. Reads all of it; decodes it where it is short or its packets do not tell the price.

    Raises `MediaUnreadable`, `NoAudioTrack`, `MediaEncrypted`, `MediaTooShort` and, where a limit is given,
    `MediaTooLong`.
    """
    spans, deadline = pieces(path), time.monotonic() + PROBE_DEADLINE_S
    with open_media(path, deadline, spans[0]) as media:
        count, container = len(media.tracks), media.container.format.name
        codec = media.tracks[default_track(media.tracks)].codec_context
        name, channels, sample_rate = codec.name, codec.channels, codec.sample_rate
    scans = [scan_track(path, spans, index, deadline, max_duration_s) for index in range(count)]
    duration_s, sound_s = max(scan.duration_s for scan in scans), max(scan.sound_s for scan in scans)
    differ = sound_s - min(scan.sound_s for scan in scans) > TOLERANCE_S  # the price is that of the tracks in use
    if sound_s <= FULL_DECODE_S or differ or any(scan.doubtful for scan in scans):
        decoded = _decode(path, spans, time.monotonic() + PROBE_DECODE_DEADLINE_S, max_duration_s)
        duration_s, sound_s = decoded.recording.duration_s, decoded.sound_s
    # whole milliseconds: the sum of 60 s of packets must not come out as a started 61st second
    return Media(round(duration_s, 3), round(sound_s, 3), container, name, channels, sample_rate)


def decode(path: Path, max_duration_s: float, deadline_s: float = DECODE_DEADLINE_S) -> Recording:
    """Return the file's speech as 16 kHz mono float32, and channels where each carries one speaker.

    Tracks that differ are mixed, or become channels. Damaged places are skipped, and a file cut short gives what is
    left of it; `report` says so. Pauses that exist only as jumps in the time stamps become silence, so that times agree
    with what a player shows. Raises as `probe` does.
    """
    return _decode(path, pieces(path), time.monotonic() + deadline_s, max_duration_s).recording


@dataclass(frozen=True, slots=True)
class _Decoded:
    recording: Recording
    sound_s: float


def _decode(path: Path, spans: Sequence[Span], deadline: float, max_duration_s: float | None) -> _Decoded:
    with open_media(path, deadline, spans[0]) as media:
        numbers, default, reasons = list(media.numbers), default_track(media.tracks), dict(media.left_out)
    read = partial(read_track, path, spans, deadline=deadline, max_duration_s=max_duration_s)
    if len(numbers) > 1 and len(spans) > 1:  # joined files: their tracks cannot be compared with each other
        reasons |= dict.fromkeys(numbers, "joined recordings, of which one track is read")
        del reasons[numbers[default]]
    elif len(numbers) > 1:
        # one after the other, and read again: samples of all tracks at once would not fit into memory
        sketches = [sketch(number, *_mono(read(index))) for index, number in enumerate(numbers)]
        compared = zip(numbers, reasons_to_leave_out(sketches, default), strict=True)
        reasons |= {number: reason for number, reason in compared if reason}
    tracks = {number: read(index) for index, number in enumerate(numbers) if number not in reasons}
    sound_s = max(track.sound_s for track in tracks.values())
    for number, track in tracks.items():
        failed, packets = track.health.failed, track.health.packets
        if track.sound_s == sound_s and failed > max(1, packets // 2):
            raise MediaUnreadable(
                f"Most of the audio cannot be decoded: {failed} of {packets} packets of track {number}. The file is "
                "damaged, or its format does not suit its codec. Send MP3, M4A, WAV or WebM."
            )
    check_audible_length(sound_s)
    recording = to_recording(_channels(list(tracks.values())))
    return _Decoded(replace(recording, report=_report(tracks, reasons)), sound_s)


def _mono(track: Track) -> tuple[Waveform, str | None]:
    return mix(track.channels), track.language


def _channels(tracks: Sequence[Track]) -> Waveform:
    """The channels of a single track, or each of several tracks as one channel, padded to one length."""
    if len(tracks) == 1:
        return tracks[0].channels
    length = max(track.channels.shape[1] for track in tracks)
    return np.stack([np.pad(mono, (0, length - len(mono))) for mono in (mix(track.channels) for track in tracks)])


def _report(tracks: Mapping[int, Track], reasons: Mapping[int, str]) -> InputReport:
    """`tracks` are those in use, `reasons` belong to all others; both by number."""
    several = len(tracks) + len(reasons) > 1
    warnings = [
        warning
        for number, track in tracks.items()
        for warning in track.health.warnings(
            f" (track {number})" if several else "", track.sound_s, track.channels.shape[1] / SAMPLE_RATE
        )
    ]
    listed = sorted([*tracks, *reasons])
    return InputReport(
        tuple(InputTrack(number, number not in reasons, reasons.get(number)) for number in listed),
        tuple(dict.fromkeys(warnings)),
    )
