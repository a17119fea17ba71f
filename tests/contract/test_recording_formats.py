"""Recordings people really have, from the file to the words of the default model."""

import jiwer
import numpy as np
import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from deployments.backends import Backend
from serve_app.pipeline.audio import decode
from serve_app.pipeline.languages import UNKNOWN
from serve_app.pipeline.types import Recording, TranscriptionRequest, Word
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


@pytest.mark.parametrize("stated", [None, "en"])
def test_another_language_is_heard(whisper: Backend, stated: str | None) -> None:
    """Spanish is written down in Spanish, also where the caller states English: a translation is not what was said."""
    recording = decode(EVAL / "corrupt/generated/spanish_7s.wav", 3600)
    found = whisper.run(TranscriptionRequest(recording, stated), nothing)
    assert found.language == "es"
    assert "dominio público" in " ".join(word.text for word in found.words)
    assert not any(word.suspect for word in found.words)


def test_another_language_is_not_understood(small_whisper: Backend) -> None:
    """What an English-only model makes of Spanish is suspect to the last word, and its language is undetermined."""
    recording = decode(EVAL / "corrupt/generated/spanish_7s.wav", 3600)
    found = small_whisper.run(TranscriptionRequest(recording), nothing)
    assert found.language == UNKNOWN
    assert found.words
    assert all(word.suspect for word in found.words)


@pytest.mark.parametrize("model", ["whisper", "small_whisper"])
def test_a_heavy_accent_stays_english(request: pytest.FixtureRequest, model: str) -> None:
    """English of Mandarin speakers, much of which sounds like Chinese to the model, is transcribed as English."""
    files = sorted((EVAL / "read/speechocean762_mandarin_l1").glob("*.opus"))[:20]
    samples = np.concatenate([decode(file, 3600).samples for file in files])
    found = request.getfixturevalue(model).run(TranscriptionRequest(Recording(samples)), nothing)
    assert found.language == "en"
    assert sum(word.suspect for word in found.words) < len(found.words) / 2


@pytest.mark.parametrize(
    "name", ["truncated.mp3", "truncated_fragmented.mp4", "bitflips.mp3", "leading_garbage_64k.mp3"]
)
def test_damaged_recordings_give_what_is_left(whisper: Backend, baseline: str, name: str) -> None:
    """The first seconds are readable and come out; nothing else is made of the rest."""
    words = text(transcribe(whisper, f"corrupt/generated/{name}"))
    assert "checked out" in words
    assert len(words.split()) < 2 * len(baseline.split())
