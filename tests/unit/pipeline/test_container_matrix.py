"""Container × codec × channel layout × sample rate: length, audibility and price of what libav can write."""

from itertools import product
from pathlib import Path

import av
import pytest

from serve_app.credits.ledger import credits_for
from serve_app.pipeline.audio import decode, probe
from tests.support.recordings import rms, tone_voice, write

CODECS = {
    "wav": "pcm_s16le pcm_s24le pcm_f32le pcm_u8 pcm_mulaw pcm_alaw adpcm_ima_wav adpcm_ms g722 g726 libmp3lame ac3",
    "w64": "pcm_s16le",
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


@pytest.mark.parametrize(("suffix", "codec"), [(s, codec) for s, codecs in CODECS.items() for codec in codecs.split()])
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
