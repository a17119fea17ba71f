"""Decoding: formats, damage, false headers, hostile files, and the samples that come out."""

import csv
import math
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from serve_app.errors import (
    Invalid,
    MediaEncrypted,
    MediaTooLong,
    MediaTooShort,
    MediaUnreadable,
    NoAudioTrack,
)
from serve_app.pipeline import media_file
from serve_app.pipeline.audio import decode, probe
from serve_app.pipeline.types import SAMPLE_RATE
from tests.support.recordings import cut, rms, tone_voice, voice, write

EVAL = Path(__file__).parents[3] / ".." / "shared" / "eval"
SAMPLE = Path(__file__).parents[3] / "config" / "sample" / "interview.ogg"
needs_eval = pytest.mark.skipif(not EVAL.is_dir(), reason="the open evaluation data is not here")

HOUR = 3600.0


def test_sample_interview_is_probed_and_decoded_alike() -> None:
    """Probe and decode agree about the bundled sample within encoder padding."""
    media, recording = probe(SAMPLE), decode(SAMPLE, HOUR)
    assert (media.container, media.codec, media.channels) == ("ogg", "opus", 1)
    assert media.duration_s == pytest.approx(recording.duration_s, abs=0.05)
    assert recording.samples.dtype == np.float32


def test_decoding_keeps_the_waveform(tmp_path: Path) -> None:
    """A 16 kHz mono file comes out sample for sample."""
    speech = voice(2)
    decoded = decode(write(tmp_path / "a.wav", [speech]), HOUR).samples
    assert np.abs(decoded - speech).max() < 1e-4


def test_whole_minutes_of_wav_are_not_a_started_minute_more(tmp_path: Path) -> None:
    """Summing packets of exactly 60 s gives 60, not a trace more that would be charged."""
    assert math.ceil(probe(write(tmp_path / "a.wav", [voice(60)])).duration_s / 60) == 1


def test_whole_minutes_of_mp3_are_not_a_started_minute_more(tmp_path: Path) -> None:
    """The encoder's padding is not charged."""
    assert math.ceil(probe(write(tmp_path / "a.mp3", [voice(60)], "libmp3lame")).duration_s / 60) == 1


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_channels_in_opposite_phase_do_not_cancel(tmp_path: Path, count: int) -> None:
    """An inverted pair among any number of channels leaves speech at a usual level."""
    speech = voice(3)
    silent = [np.zeros_like(speech)] * (count - 2)
    recording = decode(write(tmp_path / "a.wav", [speech, -0.9 * speech, *silent]), HOUR)
    assert rms(recording.samples) > 0.25 * rms(speech)


@pytest.mark.parametrize("count", [8, 9, 16, 32])
def test_any_number_of_channels_is_mixed(tmp_path: Path, count: int) -> None:
    """Eight or more channels, such as 7.1 and conference recorders, are read without a crash of the process."""
    speech = voice(2)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(count)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.repeat((speech * 32_767).astype(np.int16)[:, np.newaxis], count, axis=1).tobytes())
    assert probe(tmp_path / "a.wav").channels == count
    assert np.abs(decode(tmp_path / "a.wav", HOUR).samples - speech).max() < 1e-3


def test_an_inverted_pair_with_other_channels_leaves_all_of_them(tmp_path: Path) -> None:
    """Only one of the two inverted channels is left out; the third channel stays in the mix."""
    first, third = voice(3, seed=1), voice(3, seed=2)
    mixed = decode(write(tmp_path / "a.wav", [first, -first, third]), HOUR).samples
    assert np.corrcoef(mixed, first)[0, 1] ** 2 == pytest.approx(0.5, abs=0.1)
    assert np.corrcoef(mixed, third)[0, 1] ** 2 == pytest.approx(0.5, abs=0.1)


def test_centre_channel_of_surround_keeps_a_usual_level(tmp_path: Path) -> None:
    """Speech in the centre of 5.1 alone is not left six times too quiet."""
    silence = np.zeros(3 * SAMPLE_RATE, np.float32)
    speech = voice(3, level=0.05)
    recording = decode(write(tmp_path / "a.wav", [silence, silence, speech, silence, silence, silence]), HOUR)
    assert rms(recording.samples) > 0.8 * rms(speech)


def test_speakers_on_channels_of_their_own_are_kept_apart(tmp_path: Path) -> None:
    """Two ends of a call, each on one channel and talking in turns, come out as channels."""
    speech = voice(12)
    turn = np.arange(len(speech)) // (3 * SAMPLE_RATE) % 2 == 0
    recording = decode(write(tmp_path / "a.wav", [speech * turn, 0.5 * speech * ~turn]), HOUR)
    assert len(recording.channels) == 2
    assert len(recording.channels[0]) == len(recording.samples)


def test_two_microphones_in_one_room_are_mixed(tmp_path: Path) -> None:
    """Stereo of one room, one side later and quieter, is no pair of speakers."""
    speech = voice(12)
    assert decode(write(tmp_path / "a.wav", [speech, 0.6 * np.roll(speech, 40)]), HOUR).channels == ()


def test_levels_that_rise_together_are_one_room(tmp_path: Path) -> None:
    """People who sit nearer to one microphone or the other are in one room when both have every change of level."""
    swell = np.repeat([1.0, 0.3, 0.1, 0.3], SAMPLE_RATE).astype(np.float32)
    speech = voice(20) * np.tile(swell, 5)
    left = np.where(np.arange(len(speech)) % (4 * SAMPLE_RATE) < 2 * SAMPLE_RATE, 1.0, 0.25).astype(np.float32)
    right = np.where(np.arange(len(speech)) // SAMPLE_RATE % 4 == 3, 1.0, 0.25).astype(np.float32)
    assert decode(write(tmp_path / "a.wav", [speech * left, speech * right]), HOUR).channels == ()


def test_speech_on_one_side_only_is_mixed(tmp_path: Path) -> None:
    """A silent second channel is no second speaker."""
    speech = voice(12)
    assert decode(write(tmp_path / "a.wav", [speech, np.zeros_like(speech)]), HOUR).channels == ()


def test_quiet_speech_is_lifted_and_silence_is_not(tmp_path: Path) -> None:
    """Speech at -60 dBFS comes up by 30 dB or more; digital silence stays silent."""
    speech = voice(3, level=0.001)
    assert rms(decode(write(tmp_path / "a.flac", [speech], "flac"), HOUR).samples) > 30 * rms(speech)
    assert rms(decode(write(tmp_path / "b.wav", [0 * speech]), HOUR).samples) == 0


def test_file_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    """Half an MP3 is half a recording."""
    half = cut(write(tmp_path / "a.mp3", [voice(20)], "libmp3lame"))
    assert decode(half, HOUR).duration_s == pytest.approx(10, abs=1)


def test_noise_in_place_of_most_packets_is_refused(tmp_path: Path) -> None:
    """A container that is whole around a ruined track is no recording: what decodes of it would be noise."""
    path = write(tmp_path / "a.m4a", [voice(20)], "aac")
    whole = bytearray(path.read_bytes())
    ruined = slice(len(whole) // 10, len(whole) * 8 // 10)
    whole[ruined] = np.random.default_rng(1).bytes(ruined.stop - ruined.start)
    path.write_bytes(whole)
    with pytest.raises(MediaUnreadable, match="damaged"):
        decode(path, HOUR)


def test_too_long_is_refused_before_and_while_decoding(tmp_path: Path) -> None:
    """The limit holds in both places."""
    path = write(tmp_path / "a.wav", [voice(20)])
    with pytest.raises(MediaTooLong):
        probe(path, 10)
    with pytest.raises(MediaTooLong):
        decode(path, 10)


def test_blink_is_too_short(tmp_path: Path) -> None:
    """A fifth of a second holds no answer."""
    path = write(tmp_path / "a.wav", [voice(0.2)])
    with pytest.raises(MediaTooShort):
        probe(path)
    with pytest.raises(MediaTooShort):
        decode(path, HOUR)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    ],
    ids=["hls", "ffconcat", "pls", "sdp"],
)
@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".m3u8", ".ffconcat", ".sdp", ""])
def test_playlists_are_not_followed(tmp_path: Path, text: str, suffix: str) -> None:
    """A text that points at a perfectly good recording is not a recording, whatever its name."""
    target = write(tmp_path / "secret.wav", [voice(2)])
    (path := tmp_path / f"upload{suffix}").write_text(text.format(target=target))
    with pytest.raises(MediaUnreadable):
        probe(path)
    with pytest.raises(MediaUnreadable):
        decode(path, HOUR)


def test_reading_stops_at_its_deadline(tmp_path: Path) -> None:
    """A file that takes longer than allowed ends as unreadable instead of holding its worker."""
    path = write(tmp_path / "a.wav", [voice(20)])
    with pytest.raises(MediaUnreadable, match="too long to read"):
        decode(path, HOUR, deadline_s=0.0)


def _formats() -> list[Path]:
    folder = EVAL / "formats_valid"
    return sorted(p for p in folder.glob("*") if p.suffix not in {".tsv", ".txt"})


@needs_eval
@pytest.mark.parametrize("path", _formats(), ids=lambda path: path.name)
def test_every_common_format_decodes_to_its_full_length(path: Path) -> None:
    """Containers, codecs, rates and layouts people send all give the whole clip, and probe says so."""
    expected = 140.4 if path.name.startswith("39_") else 20.4
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(expected, abs=0.1)
    assert probe(path).duration_s == pytest.approx(expected, abs=0.1)
    assert 20 * math.log10(rms(recording.samples)) > -35


def _expectations() -> list[tuple[str, str]]:
    table = EVAL / "corrupt" / "EXPECTED.tsv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["file"], row["expected"]) for row in rows if (EVAL / "corrupt" / row["file"]).exists()]


ERRORS = {
    "reject(video_only)": NoAudioTrack,
    "reject(no audio track)": NoAudioTrack,
    "reject(encrypted)": MediaEncrypted,
    "reject": Invalid,
}


@needs_eval
@pytest.mark.parametrize(("name", "expected"), _expectations(), ids=lambda value: str(value)[-60:])
def test_damaged_and_hostile_files_end_as_they_should(name: str, expected: str) -> None:
    """Never a crash or a foreign error: sound where some can be saved, else the right refusal, from probe on."""
    path = EVAL / "corrupt" / name
    error = next((ERRORS[key] for key in ERRORS if expected.startswith(key)), None)
    if error and "reject_or" not in expected and "bounded" not in expected:
        for look in (lambda: probe(path), lambda: decode(path, HOUR)):
            with pytest.raises(error):
                look()
    elif expected.startswith("accept") and "reject" not in expected:
        assert decode(path, HOUR).duration_s >= 0.5
        assert probe(path).duration_s >= 0.5
    else:
        _ends_orderly(path)


def _ends_orderly(path: Path) -> None:
    """Half a minute at most is left of these files, or nothing."""
    try:
        length_s = decode(path, HOUR).duration_s
    except Invalid:
        return
    assert 0.5 <= length_s <= 40


def test_a_gap_in_opus_keeps_its_length(tmp_path: Path) -> None:
    """A pause that exists only in the time stamps keeps its length."""
    lost = tmp_path / "lost.ogg"
    with av.open(str(SAMPLE)) as source, av.open(str(lost), "w") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(source.demux(source.streams.audio[0])):
            if packet.dts is not None and not 1500 <= number < 1600:
                packet.stream = track
                target.mux(packet)
    whole, gapped = decode(SAMPLE, HOUR), decode(lost, HOUR)
    assert gapped.duration_s == pytest.approx(whole.duration_s, abs=0.1)
    assert rms(gapped.samples[int(30.6 * SAMPLE_RATE) : int(31.4 * SAMPLE_RATE)]) < 1e-3


def test_every_named_codec_is_a_decoder_of_libav() -> None:
    """The allow-list holds libav's own names: a misspelt one would refuse a format that it means to allow."""
    optional = {"libopencore_amrnb", "libopencore_amrwb", "libopus"}  # not in every build
    assert media_file.NAMED_CODECS - optional <= av.codecs_available


@pytest.mark.parametrize(("name", "codec"), [("a.asf", "aac"), ("a.avi", "aac"), ("a.wav", "g722")])
def test_codec_tags_that_are_numbers_are_read(tmp_path: Path, name: str, codec: str) -> None:
    """WAV, AVI and ASF have numbers for codecs; AAC's, 0x00ff, is not ASCII."""
    path = write(tmp_path / name, [voice(3)], codec)
    assert probe(path).duration_s > 2.9
    assert decode(path, HOUR).duration_s > 2.9


def test_an_unknown_sample_entry_is_read_or_refused(tmp_path: Path) -> None:
    """A four-character code with a byte over 0x7f is no reason to fail."""
    path = write(tmp_path / "a.m4a", [voice(3)], "aac")
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"\xa9mp4"))
    assert decode(path, HOUR).duration_s == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("error", [ValueError, OverflowError, MemoryError, UnicodeError, RuntimeError])
def test_exceptions_of_the_media_library_are_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever type it raises, the caller is told that the file cannot be read."""
    path = write(tmp_path / "a.wav", [voice(1)])

    def fail(*_: object, **__: object) -> None:
        raise error("unexpected")

    monkeypatch.setattr(media_file.av, "open", fail)
    with pytest.raises(MediaUnreadable):
        probe(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.mp4", b"\0\0\0\x08ftyp" * 5_000_000), ("a.wav", b"RIFF\x02\0\0\0WA" * 5_000_000)],
    ids=["mp4", "riff"],
)
def test_millions_of_empty_parts_are_not_followed(tmp_path: Path, name: str, content: bytes) -> None:
    """A file made to keep its reader busy is refused within seconds of the processor."""
    (path := tmp_path / name).write_bytes(content)
    start = time.process_time()
    with pytest.raises(MediaUnreadable) as refusal:
        probe(path)
    assert "too long to read" not in str(refusal.value)  # the deadline did not have to end it
    assert time.process_time() - start < 3


def test_an_offset_that_no_file_can_have_is_no_failing_disk(tmp_path: Path) -> None:
    """The operating system refuses to go there; to the caller it is a damaged recording."""
    path = write(tmp_path / "a.caf", [voice(3)])
    path.write_bytes(path.read_bytes() + b"free" + (2**63 - 100).to_bytes(8, "big"))
    with pytest.raises(MediaUnreadable):
        probe(path)


@pytest.mark.parametrize("seconds", [5, 90], ids=["one-piece", "several-pieces"])
def test_frames_that_the_container_does_not_tell_apart_are_read(tmp_path: Path, seconds: int) -> None:
    """WAV does not store where AAC's frames end: the decoder finds them, as in players."""
    speech = tone_voice(seconds, 48_000) + np.random.default_rng(1).normal(0, 0.02, seconds * 48_000).astype(np.float32)
    path = write(tmp_path / "a.wav", [speech, speech[::-1]], "aac", rate=48_000)
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(seconds, abs=0.1)
    assert probe(path).sound_s == pytest.approx(recording.duration_s, abs=0.002)
    assert all(rms(part) > 0.02 for part in np.array_split(recording.samples, 4 * seconds))
    assert recording.report.warnings == ()


def test_a_failing_disk_is_not_a_bad_recording(tmp_path: Path) -> None:
    """An error of the storage passes through: the caller's file may be fine."""
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "missing.wav")
