"""Recordings people really have, from the file to the words of the default model."""

import jiwer
import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from deployments.backends import Backend
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import TranscriptionRequest, Word
from tests.support.backends import nothing
from tests.support.world import EVAL

NORMALISE = EnglishTextNormalizer({})
BASELINE = "00_baseline_pcm16_16k_mono.wav"
FORMATS = (
    "04_mulaw_8k.wav", "07_adpcm_ima.wav", "10_cbr32.mp3", "17_opus16k.opus", "25_speex.spx", "27_video_audio.mp4",
    "30_two_audio_tracks_first_is_reference.mp4", "32_5point1_centre_only.m4a",
    "33_antiphase_stereo_cancels_on_downmix.wav", "35_very_quiet_minus45dB.wav", "37_telephone_8k.mp3",
    "39_two_minutes_silence_then_speech.flac", "44_opus_named_wav.wav", "45_m4a_named_mp3.mp3",
)  # fmt: skip
"""One of each kind; that the others decode to the same sound is a unit test's."""
pytestmark = pytest.mark.skipif(not EVAL.is_dir(), reason="the evaluation recordings are not beside this checkout")


def transcribe(whisper: Backend, path: str) -> tuple[Word, ...]:
    return whisper.run(TranscriptionRequest(decode(EVAL / path, 3600)), nothing).words


def text(words: tuple[Word, ...]) -> str:
    """What was said; where each track is a channel of its own, on the first one."""
    return normal(" ".join(word.text for word in words if not word.channel))


def normal(spoken: str) -> str:
    return " ".join(str(NORMALISE(spoken)).split())


@pytest.fixture(scope="module")
def baseline(whisper: Backend) -> str:
    """What comes of the uncompressed recording, near what was said."""
    lines = (EVAL / "formats_valid" / "REF.txt").read_text("utf-8").splitlines()
    said = normal(" ".join(line.split(":", 1)[1] for line in lines if ":" in line))
    found = text(transcribe(whisper, f"formats_valid/{BASELINE}"))
    assert jiwer.wer(said, found) < 0.2
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_nearly_the_same_words(whisper: Backend, baseline: str, name: str) -> None:
    """At most one word in twelve differs from the uncompressed recording (0 to 5 % measured)."""
    assert jiwer.wer(baseline, text(transcribe(whisper, f"formats_valid/{name}"))) < 1 / 12


@pytest.mark.parametrize("name", ["silence_30s.mp3", "tone_440_20s.m4a", "dtmf_busy_10s.wav"])
def test_sound_without_speech_gives_no_words(whisper: Backend, name: str) -> None:
    """Silence, a tone and a busy line are accepted and stay empty."""
    assert transcribe(whisper, f"corrupt/generated/{name}") == ()


def test_another_language_is_flagged(whisper: Backend) -> None:
    """What an English model makes of Spanish is suspect to the last word."""
    words = transcribe(whisper, "corrupt/generated/spanish_7s.wav")
    assert words
    assert all(word.suspect for word in words)


@pytest.mark.parametrize(
    "name", ["truncated.mp3", "truncated_fragmented.mp4", "bitflips.mp3", "leading_garbage_64k.mp3"]
)
def test_damaged_recordings_give_what_is_left(whisper: Backend, baseline: str, name: str) -> None:
    """The first seconds are readable and come out; nothing else is made of the rest."""
    words = text(transcribe(whisper, f"corrupt/generated/{name}"))
    assert "chest pain" in words
    assert len(words.split()) < 2 * len(baseline.split())
