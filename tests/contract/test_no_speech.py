"""Sound without speech, transcribed by the default model."""

from collections.abc import Iterator

import numpy as np
import pytest

from deployments.backends import Backend
from deployments.profiles import load_profile
from serve_app.pipeline.assessment.unassessed import has_speech
from serve_app.pipeline.types import SAMPLE_RATE, Recording, TranscriptionRequest, Waveform

SECONDS = 12
TIME = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
NOISE = np.random.default_rng(0).standard_normal(len(TIME))


@pytest.fixture(scope="module")
def whisper() -> Iterator[Backend]:
    backend = load_profile("embedded").asr.build()
    backend.load(lambda _done, _total: None)
    yield backend
    backend.unload()


@pytest.mark.parametrize(
    "sound",
    [0 * TIME, 0.3 * np.sin(2 * np.pi * 440 * TIME), 0.05 * NOISE, 0.5 * NOISE, 0.1 * np.sin(2 * np.pi * 50 * TIME)],
    ids=["silence", "tone", "noise", "loud noise", "hum"],
)
def test_sound_without_speech_has_no_speech(whisper: Backend, sound: Waveform) -> None:
    """Nothing is invented that would be charged and assessed."""
    request = TranscriptionRequest(Recording(sound.astype(np.float32)))
    assert not has_speech(whisper.run(request, lambda _: None))
