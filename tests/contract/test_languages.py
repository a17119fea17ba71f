"""The languages of the profiles are those of their speech models."""

import numpy as np
import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES

from deployments.profiles import load_profile
from serve_app.errors import LanguageUnsupported
from serve_app.pipeline.types import SAMPLE_RATE, Recording, TranscriptionRequest


@pytest.mark.parametrize("profile", ["embedded", "embedded-small"])
def test_a_model_refuses_what_its_profile_does_not_name(profile: str) -> None:
    """Exactly the languages of the profile are transcribed; another one fails for good."""
    spec = load_profile(profile).asr
    backend = spec.build()
    backend.load(lambda _done, _total: None)
    silence = Recording(np.zeros(SAMPLE_RATE, np.float32))
    for language in _LANGUAGE_CODES:
        request = TranscriptionRequest(silence, language)
        if language in spec.languages:
            assert backend.run(request, lambda _: None).language == language
        else:
            with pytest.raises(LanguageUnsupported):
                backend.run(request, lambda _: None)
    backend.unload()


@pytest.mark.parametrize("profile", ["gpu-24g", "gpu-80g"])
def test_a_multilingual_model_has_the_languages_of_its_library(profile: str) -> None:
    """Whisper large-v3 knows every language of faster-whisper."""
    assert load_profile(profile).asr.languages == _LANGUAGE_CODES
