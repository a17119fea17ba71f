"""Files with several audio tracks: which are used, and that every voice is there once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from serve_app.errors import MediaUnreadable
from serve_app.pipeline.audio import decode, probe
from serve_app.pipeline.types import SAMPLE_RATE, Recording, Waveform
from tests.support.recordings import rms, voice, write, write_tracks

HOUR = 3600.0
SECONDS = 24


def alternating() -> tuple[Waveform, Waveform]:
    """Two speakers in turns of 3 s."""
    turn = np.arange(SECONDS * SAMPLE_RATE) // (3 * SAMPLE_RATE) % 2 == 0
    return voice(SECONDS, seed=1) * turn, voice(SECONDS, seed=2) * ~turn


def read(
    path: Path, tracks: Sequence[Waveform], codec: str = "aac", languages: Sequence[str] = ()
) -> tuple[Recording, list[str | None]]:
    """The recording, and why each track was left out."""
    recording = decode(write_tracks(path, [[track] for track in tracks], codec, languages=languages), HOUR)
    assert [track.track for track in recording.report.tracks] == list(range(1, len(tracks) + 1))
    return recording, [track.reason for track in recording.report.tracks]


def share(recording: Recording, speech: Waveform) -> float:
    """Correlation of the mix with one voice."""
    length = min(len(speech), len(recording.samples))
    return float(np.corrcoef(recording.samples[:length], speech[:length])[0, 1])


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "libopus"), ("mov", "pcm_s16le")])
def test_speakers_on_tracks_of_their_own_become_channels(tmp_path: Path, suffix: str, codec: str) -> None:
    """Interviewer on track 1, candidate on track 2: both are there, each on a channel."""
    first, second = alternating()
    recording, reasons = read(tmp_path / f"a.{suffix}", [first, second], codec)
    assert reasons == [None, None]
    assert len(recording.channels) == 2
    assert share(recording, first) > 0.5
    assert share(recording, second) > 0.5


def test_tracks_of_the_same_moments_are_mixed(tmp_path: Path) -> None:
    """Two tracks with sound at the same times are one mix."""
    first, second = voice(SECONDS, seed=1), voice(SECONDS, seed=2)
    recording, reasons = read(tmp_path / "a.mp4", [first, second])
    assert (reasons, recording.channels) == ([None, None], ())
    assert min(share(recording, first), share(recording, second)) > 0.5


def test_a_silent_default_track_does_not_win(tmp_path: Path) -> None:
    """Screen recorders write empty tracks; the one with speech is used, and is all that counts."""
    speech = voice(SECONDS)
    recording, reasons = read(tmp_path / "a.mp4", [0 * speech, speech])
    assert reasons == ["silent", None]
    assert rms(recording.samples) == pytest.approx(rms(speech), rel=0.1)


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)])
def test_a_track_with_the_mix_of_the_others_is_left_out(tmp_path: Path, order: Sequence[int], gain: float) -> None:
    """The mix and its two sources: the sources are used, so no voice is there twice."""
    first, second = alternating()
    tracks = [gain * (first + second), first, second]
    recording, reasons = read(tmp_path / "a.mp4", [tracks[index] for index in order])
    assert reasons[order.index(0)] == "holds the mix of the other tracks"
    assert [reasons[order.index(index)] for index in (1, 2)] == [None, None]
    assert len(recording.channels) == 2


def test_a_mix_of_voices_at_the_same_moments_is_left_out(tmp_path: Path) -> None:
    """A mix is found also where its sources overlap all the time."""
    first, second = voice(SECONDS, seed=1), voice(SECONDS, seed=2)
    _, reasons = read(tmp_path / "a.mkv", [first + second, first, second], "libopus")
    assert reasons == ["holds the mix of the other tracks", None, None]


def test_a_source_beside_the_full_mix_is_left_out(tmp_path: Path) -> None:
    """The mix of both voices and one of them alone: the mix is used, and the voice is not doubled."""
    first, second = alternating()
    recording, reasons = read(tmp_path / "a.mp4", [first + second, second])
    assert reasons == [None, "is part of track 1"]
    assert share(recording, first) == pytest.approx(share(recording, second), abs=0.05)


def test_a_repeated_track_is_used_once(tmp_path: Path) -> None:
    """The same sound at another level is left out."""
    speech = voice(SECONDS)
    assert read(tmp_path / "a.mp4", [speech, 0.5 * speech])[1] == [None, "repeats track 1"]


def test_a_dub_in_another_language_is_left_out(tmp_path: Path) -> None:
    """Two languages at the same moments are not mixed; two speakers in turns are, whatever their languages."""
    first, second = voice(SECONDS, seed=1), voice(SECONDS, seed=2)
    _, reasons = read(tmp_path / "a.mkv", [first, second], languages=["eng", "deu"])
    assert reasons == [None, "in another language than track 1"]
    recording, reasons = read(tmp_path / "b.mkv", alternating(), languages=["eng", "deu"])
    assert reasons == [None, None]
    assert len(recording.channels) == 2


def test_of_silent_tracks_the_default_one_is_used(tmp_path: Path) -> None:
    """A file without any sound is still a recording."""
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    recording, reasons = read(tmp_path / "a.mkv", [silence, silence], "pcm_s16le")
    assert reasons == [None, "silent"]
    assert recording.duration_s == pytest.approx(5, abs=0.1)


def test_of_tracks_below_the_threshold_the_loudest_is_used(tmp_path: Path) -> None:
    """Very quiet speech wins over a silent default track."""
    speech = voice(SECONDS, level=0.0004)
    recording, reasons = read(tmp_path / "a.mkv", [0 * speech, speech], "flac")
    assert reasons == ["silent", None]
    assert rms(recording.samples) > 30 * rms(speech)


def test_a_track_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    """Tracks keep the numbers that other programs show, and the unsupported one is listed with its reason."""
    path = write_tracks(tmp_path / "a.mkv", [[voice(6, seed=1)], [voice(6, seed=2)]], "pcm_s16le")
    content = path.read_bytes()
    assert content.count(b"A_PCM/INT/LIT") == 2
    path.write_bytes(content.replace(b"A_PCM/INT/LIT", b"A_UNKNOWN/LIT", 1))
    listed = [(track.track, track.used, track.reason) for track in decode(path, HOUR).report.tracks]
    assert listed == [(1, False, "format not supported"), (2, True, None)]


def test_tracks_without_any_sound_are_refused(tmp_path: Path) -> None:
    """A file that ends after its header has tracks, but nothing to read."""
    path = write_tracks(tmp_path / "a.mkv", [[voice(2)], [voice(2)]], "pcm_s16le")
    path.write_bytes(path.read_bytes().split(b"\x1fC\xb6u")[0])  # a cluster begins
    with pytest.raises(MediaUnreadable):
        probe(path)


def test_the_price_is_that_of_the_tracks_in_use(tmp_path: Path) -> None:
    """A long silent track beside a shorter one with speech is not charged."""
    path = write_tracks(tmp_path / "a.mkv", [[0 * voice(420)], [voice(305)]], "pcm_s16le")
    assert probe(path).sound_s == pytest.approx(305, abs=0.1)


def test_a_shorter_track_is_padded(tmp_path: Path) -> None:
    """The recording is as long as its longest track, in probe as in decode."""
    path = write_tracks(tmp_path / "a.mkv", [[voice(6, seed=1)], [voice(12, seed=2)]], "pcm_s16le")
    assert decode(path, HOUR).duration_s == pytest.approx(12, abs=0.1)
    assert probe(path).sound_s == pytest.approx(12, abs=0.1)


def test_stereo_channels_of_a_single_used_track_stay_channels(tmp_path: Path) -> None:
    """Where one track is left, it is treated as the only one."""
    first, second = alternating()
    silence = np.zeros_like(first)
    path = write_tracks(tmp_path / "a.mkv", [[silence, silence], [first, second]], "pcm_s16le")
    assert len(decode(path, HOUR).channels) == 2


def test_a_single_track_is_reported(tmp_path: Path) -> None:
    """An ordinary file has one track, used, and no warning."""
    report = decode(write(tmp_path / "a.wav", [voice(3)]), HOUR).report
    assert [(track.track, track.used, track.reason) for track in report.tracks] == [(1, True, None)]
    assert report.warnings == ()
