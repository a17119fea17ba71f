"""Container × codec × channel layout × sample rate: length, audibility, price and warnings of what libav can write.

Each container and codec whole, cut in the middle as by a broken upload, and with noise in place of a tenth of it.
"""

from functools import cache, partial
from itertools import product
from pathlib import Path

import av
import pytest

from serve_app.credits.ledger import credits_for
from serve_app.errors import MediaUnreadable
from serve_app.pipeline.audio import decode, probe
from tests.support.recordings import cut, damage, rms, tone_voice, write

CODECS = {
    "wav": (
        "pcm_s16le pcm_s24le pcm_f32le pcm_u8 pcm_mulaw pcm_alaw adpcm_ima_wav adpcm_ms g722 g726 libmp3lame ac3 aac"
    ),
    "w64": "pcm_s16le g722 libmp3lame",
    "aiff": "pcm_s16be",
    "caf": "pcm_s16le alac",
    "au": "pcm_s16be",
    "flac": "flac",
    "mp3": "libmp3lame",
    "aac": "aac",
    "ac3": "ac3",
    "eac3": "eac3",
    "ogg": "libopus flac vorbis",
    "m4a": "aac alac",
    "mp4": "aac libmp3lame ac3 flac libopus",
    "mov": "pcm_s16le aac",
    "mkv": "aac libopus flac libmp3lame pcm_s16le ac3 eac3 alac vorbis",
    "webm": "libopus vorbis",
    "wma": "wmav1 wmav2",
    "asf": "libmp3lame aac",
    "avi": "pcm_s16le libmp3lame aac ac3 mp2 eac3",
    "flv": "libmp3lame aac",
    "mpg": "mp2 ac3",
    "ts": "aac mp2 ac3 libopus",
}
SHAPES = [
    *product(["mono"], [8_000, 16_000, 44_100, 48_000]),
    *product(["stereo"], [8_000, 16_000, 44_100, 48_000]),
    ("5.1", 48_000),
]
CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}
SECONDS = 1.5
PADDING_S = 0.25
"""Two blocks of 1,024 samples at 8 kHz, the most that an encoder adds."""

LONG_S = 20.0
"""Of recordings that are cut or damaged."""
INDEX_AT_THE_END = frozenset((("caf", "alac"), *product(("m4a", "mp4", "mov"), " ".join(CODECS.values()).split())))
STATE_NO_END = frozenset(("aac", "ac3", "eac3", "mpg", "ts"))
"""Streams of frames: one that was cut looks like a shorter one."""
UNCHECKED = ("pcm_", "g722", "g726")
"""Codecs in which any bytes are sound."""

every_container_and_codec = pytest.mark.parametrize(
    ("suffix", "codec"), [(suffix, codec) for suffix, codecs in CODECS.items() for codec in codecs.split()]
)


@every_container_and_codec
def test_every_combination_has_its_length_its_sound_and_its_price(tmp_path: Path, suffix: str, codec: str) -> None:
    """What a muxer writes is measured, priced and decoded alike, and none of it is silent."""
    written = 0
    for layout, rate in SHAPES:
        speech = tone_voice(SECONDS, rate)
        try:
            path = write(tmp_path / f"a.{suffix}", [speech] * CHANNELS[layout], codec, layout, rate)
        except (av.FFmpegError, ValueError):
            continue  # a combination that does not exist, such as MP3 with six channels
        written += 1
        media, recording = probe(path), decode(path, 3600.0)
        shape = f"{layout} {rate}"
        assert media.sound_s == pytest.approx(SECONDS, abs=PADDING_S), shape
        assert media.duration_s == pytest.approx(recording.duration_s, abs=0.002), shape
        assert rms(recording.samples) > 0.5 * rms(speech), shape
        assert credits_for(media.sound_s, 1) == 1, shape
        assert not recording.report.warnings, shape
    assert written, "libav writes none of these combinations"


speech_at = cache(partial(tone_voice, LONG_S))


@cache
def written(folder: Path, suffix: str, codec: str) -> bytes:
    """A recording of LONG_S at a rate that the codec has; nothing where libav writes it in stereo only."""
    for rate in (16_000, 48_000):
        try:
            return write(folder / f"whole.{suffix}", [speech_at(rate)], codec, rate=rate).read_bytes()
        except (av.FFmpegError, ValueError):
            continue
    return b""


@pytest.fixture
def long_recording(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, suffix: str, codec: str) -> Path:
    """A recording of LONG_S in this container and codec."""
    content = written(tmp_path_factory.getbasetemp(), suffix, codec)
    if not content:
        pytest.skip("libav writes it in stereo only")
    (path := tmp_path / f"a.{suffix}").write_bytes(content)
    return path


@every_container_and_codec
def test_every_combination_that_was_cut_is_read_and_charged_for_what_is_there(
    long_recording: Path, suffix: str, codec: str
) -> None:
    """Half a file is half a recording with a warning; where the index was in the other half, a refusal that says so."""
    path = cut(long_recording)
    if (suffix, codec) in INDEX_AT_THE_END:
        for look in (lambda: probe(path), lambda: decode(path, 3600.0)):
            with pytest.raises(MediaUnreadable, match=r"end of the file is missing.*again"):
                look()
        return
    media, recording = probe(path), decode(path, 3600.0)
    assert media.sound_s == pytest.approx(LONG_S / 2, abs=1.3)
    assert media.duration_s == pytest.approx(recording.duration_s, abs=0.002)
    assert rms(recording.samples) > 0.5 * rms(speech_at(16_000))
    assert bool(recording.report.warnings) == (suffix not in STATE_NO_END)
    assert all(text.startswith(("Incomplete", "Damaged")) for text in recording.report.warnings)


@every_container_and_codec
def test_every_combination_with_a_damaged_place_is_read_around_it(long_recording: Path, codec: str) -> None:
    """What follows the damage is there, what was read is charged, and the result says that some is missing."""
    path = damage(long_recording)
    media, recording = probe(path), decode(path, 3600.0)
    assert LONG_S / 2 < media.sound_s < LONG_S + PADDING_S
    assert media.duration_s == pytest.approx(recording.duration_s, abs=0.002)
    assert rms(recording.samples[-16_000:]) > 0.3 * rms(speech_at(16_000))
    assert recording.report.warnings or codec.startswith(UNCHECKED)
