"""Times and lengths: time stamps true and false, joined files, and files that can be read only in part."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from serve_app.errors import MediaTooLong, MediaUnreadable
from serve_app.pipeline.audio import decode, probe
from serve_app.pipeline.resample import Timeline
from serve_app.pipeline.types import SAMPLE_RATE, Waveform
from tests.support.recordings import cut, damage, rms, voice, write, write_stamped

HOUR = 3600.0


def onset_s(samples: Waveform) -> float:
    """Seconds before the first sound."""
    return float(np.argmax(np.abs(samples) > 0.05)) / SAMPLE_RATE


def test_pause_in_time_stamps_becomes_silence_and_is_not_charged(tmp_path: Path) -> None:
    """A track that skips 5 s keeps later words where a player shows them; only sound is charged."""
    path = write_stamped(tmp_path / "a.mkv", (0, 6), 1.0)
    recording, media = decode(path, HOUR), probe(path)
    assert recording.duration_s == pytest.approx(7, abs=0.05)
    assert rms(recording.samples[2 * SAMPLE_RATE : 5 * SAMPLE_RATE]) == 0
    assert rms(recording.samples[round(6.05 * SAMPLE_RATE) : round(6.25 * SAMPLE_RATE)]) > 0.05
    assert recording.report.warnings == (
        "Gaps: the file holds no sound for 5.0 s in 1 place(s); they are silent and not charged.",
    )
    assert (media.duration_s, media.sound_s) == (pytest.approx(7, abs=0.05), pytest.approx(2, abs=0.05))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_a_gap_in_a_long_recording_is_not_charged(tmp_path: Path, suffix: str) -> None:
    """Above the length that `probe` decodes as well, and where the container stores the gap as a long packet (MP4)."""
    path, rate = tmp_path / f"a.{suffix}", SAMPLE_RATE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        stream.codec_context.open(strict=False)
        for number in range(310 * rate // 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, number * 1024
            for packet in stream.encode(frame):
                late = packet.pts is not None and packet.pts * packet.time_base > 200
                packet.pts = packet.dts = packet.pts + (100 * rate if late else 0)
                container.mux(packet)
    media = probe(path)
    assert (media.sound_s, media.duration_s) == (pytest.approx(310, abs=0.3), pytest.approx(410, abs=0.3))
    assert decode(path, HOUR).duration_s == pytest.approx(media.duration_s, abs=0.1)


@pytest.mark.parametrize("step", [3.0, 100.0], ids=["three-times", "hundred-times"])
def test_time_stamps_that_jump_at_every_block_are_not_believed(tmp_path: Path, step: float) -> None:
    """A clock that runs too fast does not turn 2 s of sound into minutes of silence."""
    path = write_stamped(tmp_path / "a.mkv", (0.2 * step * number for number in range(20)), 0.2)
    assert decode(path, HOUR).duration_s == pytest.approx(4, abs=0.1)
    assert probe(path).duration_s == pytest.approx(4, abs=0.1)


def timeline(stamps: Iterable[tuple[float, float]], *, pauses: bool = False) -> Timeline:
    made = Timeline(0.0, stamped=True, pauses=pauses)
    for stamp_s, length_s in stamps:
        made.add(stamp_s, length_s)
    return made


def test_a_clock_that_goes_back_has_no_gaps() -> None:
    """A restarted clock makes the jumps before it meaningless."""
    assert timeline([*((i, 1.0) for i in range(5)), (60.0, 1.0), (3.0, 1.0)]).duration_s == 7
    assert timeline([*((i, 1.0) for i in range(5)), (60.0, 1.0), (61.0, 1.0)]).duration_s == 62


def test_many_gaps_a_second_are_an_error_unless_the_codec_pauses() -> None:
    """Opus sends nothing in pauses, so its gaps are real; other codecs do not jump five times a second."""
    stamps = [(0.25 * i + 0.15 * (i // 2), 0.1 if i % 2 else 0.25) for i in range(40)]
    assert timeline(stamps).gaps == []
    assert timeline(stamps, pauses=True).gaps


def write_video(path: Path, codec: str, frames_s: int = 5) -> Path:
    """Sound that begins at 2 s beside H.264 with pictures in another order than they are shown."""
    rate, seconds = 48_000, 6
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=frames_s)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        video.options = {"bf": "3", "b_strategy": "0", "preset": "veryfast"}
        track = container.add_stream(codec, rate=rate, layout="mono")
        track.codec_context.open(strict=False)
        time = np.arange(rate * seconds) / rate
        tone = (0.3 * np.sin(2 * np.pi * 440 * time) * (time >= 2)).astype(np.float32)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for number in range(frames_s * seconds):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        size = track.codec_context.frame_size or 0
        resampler = av.AudioResampler(track.codec_context.format, "mono", rate, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(track.encode(piece))
        container.mux(track.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "aac"),
        ("b.mkv", "libopus"),
        ("c.mkv", "pcm_s16le"),
        ("d.asf", "libmp3lame"),
        ("e.mp4", "aac"),
        ("f.mov", "pcm_s16le"),
        ("g.ts", "aac"),
        ("h.flv", "aac"),
        ("i.avi", "libmp3lame"),
    ],
)
def test_times_do_not_shift_beside_h264(tmp_path: Path, name: str, codec: str) -> None:
    """What sounds at 2 s in a player is at 2 s in the recording."""
    recording = decode(write_video(tmp_path / name, codec), HOUR)
    assert onset_s(recording.samples) == pytest.approx(2, abs=0.12)


def ogg(path: Path, channels: int, rate: int, codec: str, seconds: float = 3) -> bytes:
    speech = np.repeat(voice(seconds), rate // SAMPLE_RATE)
    return write(path, [speech] * channels, codec, rate=rate, container_format="ogg").read_bytes()


@pytest.mark.parametrize("codec", ["libopus", "flac"])
@pytest.mark.parametrize("second", [(1, 48_000), (2, 48_000), (2, 16_000)], ids=["same", "stereo", "stereo-16k"])
def test_chained_ogg_is_read_to_its_end(tmp_path: Path, codec: str, second: tuple[int, int]) -> None:
    """Joined streams are all there, also where channels or sample rate change."""
    first = ogg(tmp_path / "1.ogg", 1, 48_000, codec)
    (path := tmp_path / "a.ogg").write_bytes(first + ogg(tmp_path / "2.ogg", *second, codec) + first)
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(9, abs=0.15)
    assert probe(path).sound_s == pytest.approx(9, abs=0.15)
    assert all(rms(part) > 0.02 for part in np.array_split(recording.samples, 9))
    assert recording.report.warnings == ()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *(("wav", "pcm_s16le"), ("w64", "pcm_s16le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16le"), ("au", "pcm_s16be")),
        *(("flac", "flac"), ("mp3", "libmp3lame"), ("aac", "aac"), ("m4a", "aac"), ("mov", "pcm_s16le")),
        *(("mkv", "aac"), ("webm", "libopus"), ("wma", "wmav2"), ("flv", "aac"), ("avi", "libmp3lame"), ("ts", "aac")),
    ],
)
def test_files_one_after_the_other_are_read_to_the_end(tmp_path: Path, suffix: str, codec: str) -> None:
    """A header that covers the first piece does not end the recording, also where channels and sample rate change."""
    rate = 48_000 if codec == "libopus" else 16_000
    first = write(tmp_path / f"1.{suffix}", [voice(6)], codec, rate=rate)
    second = write(tmp_path / f"2.{suffix}", [voice(9), voice(9)], codec, rate=48_000)
    expected_s = probe(first).sound_s + probe(second).sound_s
    (path := tmp_path / f"a.{suffix}").write_bytes(first.read_bytes() + second.read_bytes())
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(expected_s, abs=0.15)
    assert probe(path).sound_s == pytest.approx(expected_s, abs=0.15)
    assert all(rms(part) > 0.02 for part in np.array_split(recording.samples, 8))
    assert recording.report.warnings == ()


def test_attached_pictures_are_no_joined_recordings(tmp_path: Path) -> None:
    """A picture inside an M4A begins with `ftyp`, too."""
    path = write(tmp_path / "a.m4a", [voice(3)], "aac")
    picture = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    box = (len(picture) + 8).to_bytes(4, "big") + b"free" + picture
    path.write_bytes(path.read_bytes() + box)
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(3, abs=0.1)
    assert recording.report.warnings == ()


@pytest.mark.parametrize("unreadable", [1, 2, 3])
def test_a_joined_piece_that_cannot_be_read_is_named(tmp_path: Path, unreadable: int) -> None:
    """The other pieces are kept, also where the first one is lost, and only they are charged."""
    good = write(tmp_path / "1.wav", [voice(3)]).read_bytes()
    bad = bytearray(good)
    bad[20:22] = b"\xef\xbe"  # an unknown codec
    (path := tmp_path / "a.wav").write_bytes(b"".join(bad if place == unreadable else good for place in (1, 2, 3)))
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(6, abs=0.05)
    assert recording.report.warnings == (f"Part {unreadable} of the joined recordings in the file could not be read.",)
    assert probe(path).sound_s == pytest.approx(6, abs=0.05)


def test_a_joined_piece_without_sound_is_named(tmp_path: Path) -> None:
    """A first MP4 that holds a picture alone does not refuse the interview that follows it."""
    with av.open(str(tmp_path / "1.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=5)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))
    second = write(tmp_path / "2.mp4", [voice(3)], "aac").read_bytes()
    (path := tmp_path / "a.mp4").write_bytes((tmp_path / "1.mp4").read_bytes() + second)
    assert probe(path).sound_s == pytest.approx(3, abs=0.1)
    assert decode(path, HOUR).report.warnings == ("Part 1 of the joined recordings in the file could not be read.",)


def test_where_no_joined_piece_can_be_read_the_reason_is_the_first_ones(tmp_path: Path) -> None:
    """The refusal says why, as for a file of one piece."""
    bad = bytearray(write(tmp_path / "1.wav", [voice(3)]).read_bytes())
    bad[20:22] = b"\xef\xbe"
    (path := tmp_path / "a.wav").write_bytes(bad + bad)
    with pytest.raises(MediaUnreadable, match="format not supported"):
        probe(path)


@pytest.mark.parametrize("suffix", ["wav", "w64", "caf", "aiff"])
def test_bytes_after_the_end_that_the_header_states_are_told(tmp_path: Path, suffix: str) -> None:
    """A recorder that did not renew its header: what players play is read, and the result says that more follows."""
    codec = "pcm_s16be" if suffix == "aiff" else "pcm_s16le"
    path = write(tmp_path / f"a.{suffix}", [voice(5)], codec)
    rest = np.random.default_rng(7).integers(-9_000, -300, 10 * SAMPLE_RATE, np.int16).tobytes()
    path.write_bytes(path.read_bytes() + rest)
    recording = decode(path, HOUR)
    (warning,) = recording.report.warnings
    assert recording.duration_s == probe(path).sound_s == pytest.approx(5, abs=0.01)
    assert "header covers 5.0 s" in warning
    assert "about 10 s" in warning


@pytest.mark.parametrize(
    "tail", [b"TAG" + bytes(125), b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf62.12.102\0"], ids=["id3", "list"]
)
def test_tags_after_the_end_are_no_sound(tmp_path: Path, tail: bytes) -> None:
    """Programs append tags without renewing the header."""
    path = write(tmp_path / "a.wav", [voice(5)])
    path.write_bytes(path.read_bytes() + tail)
    assert decode(path, HOUR).report.warnings == ()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libopus"), ("b.m4a", "aac"), ("c.flac", "flac"), ("d.mp4", "alac")]
)
def test_damage_in_the_middle_is_reported_and_not_charged(tmp_path: Path, name: str, codec: str) -> None:
    """What follows the damage is there; the result says what is missing, and the price is that of the rest."""
    path = damage(write(tmp_path / name, [voice(20)], codec, rate=SAMPLE_RATE), 0.4, 0.6)
    recording, media = decode(path, HOUR), probe(path)
    assert rms(recording.samples[-2 * SAMPLE_RATE :]) > 0.03
    assert recording.report.warnings
    assert media.sound_s < 19
    assert media.duration_s == pytest.approx(recording.duration_s, abs=0.002)


def test_a_fragmented_mp4_cut_short_says_so(tmp_path: Path) -> None:
    """Fragments state no length of the whole; the last of them is not all there."""
    path = tmp_path / "a.mp4"
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "2000000"}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        stream.codec_context.open(strict=False)
        frame = av.AudioFrame.from_ndarray(voice(20)[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE, frame_size=1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    assert decode(path, HOUR).report.warnings == ()
    (warning,) = decode(cut(path), HOUR).report.warnings
    assert "end of the file is missing" in warning
    assert probe(path).sound_s == pytest.approx(10, abs=2.1)


def test_an_ogg_without_the_mark_of_its_end_is_whole(tmp_path: Path) -> None:
    """Some voice messages do not mark their last page: nothing is missing, and the result does not say so."""
    path = write(tmp_path / "a.ogg", [voice(20)], "libopus", rate=48_000)
    content = bytearray(path.read_bytes())
    last = content.rindex(b"OggS")
    assert content[last + 5] & 4
    content[last + 5] &= ~4
    content[last + 22 : last + 26] = ogg_checksum(content[last:])
    path.write_bytes(content)
    recording = decode(path, HOUR)
    assert recording.duration_s == pytest.approx(voice(20).size / 48_000, abs=0.05)
    assert recording.report.warnings == ()


def ogg_checksum(page: bytearray) -> bytes:
    """The checksum of a page, which counts its own field as zeros (RFC 3533)."""
    remainder = 0
    for byte in [*page[:22], *bytes(4), *page[26:]]:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C1_1DB7 if remainder & 0x8000_0000 else 0)) & 0xFFFF_FFFF
    return remainder.to_bytes(4, "little")


def test_damage_that_hides_most_of_an_ogg_is_told(tmp_path: Path) -> None:
    """The last page states how long the stream is, also where the pages before it cannot be read."""
    path = damage(write(tmp_path / "a.ogg", [voice(20)], "libopus", rate=48_000), 0.3, 0.95)
    assert probe(path).sound_s < 10
    assert decode(path, HOUR).report.warnings


def test_too_long_names_the_limit_and_the_length(tmp_path: Path) -> None:
    """The refusal says how long the recording is and how long it may be."""
    path = write(tmp_path / "a.wav", [voice(130)])
    with pytest.raises(MediaTooLong, match=r"longer than 2 minutes.*2\.[01] minutes"):
        probe(path, 120)


def test_long_recordings_are_measured_without_decoding_as_decoding_finds_them(tmp_path: Path) -> None:
    """Above the length that is decoded in full, packets give the same length."""
    for name, codec in (("a.mp3", "libmp3lame"), ("b.ogg", "libopus"), ("c.m4a", "aac")):
        path = write(tmp_path / name, [voice(305)], codec)
        assert probe(path).sound_s == pytest.approx(decode(path, HOUR).duration_s, abs=0.1), name
