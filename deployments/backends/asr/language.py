"""Which language a recording is in, and whether English words of it were understood.

Measured on windows of 6 to 30 s. Whisper base gives English a probability of 0.70 or more in real conversations, 0.17
or more in English with a heavy Chinese accent, which it takes for Chinese half of the time, and 0.02 or less in
Spanish, French and Italian; in German read with an English accent 0.11 on average.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from faster_whisper.audio import pad_or_trim

from deployments.backends.audio.voice_activity import Span
from serve_app.pipeline.types import SAMPLE_RATE, Waveform, Word

ENGLISH = "en"
MAX_WINDOWS = 3
"""Windows that are listened to: the longest ones. Two speakers may speak different languages."""
MIN_ENGLISH, MIN_STATED_ENGLISH = 0.15, 0.03
"""Mean probability under which speech is not English: found by listening, and against the caller's word."""
MIN_UNDERSTOOD, MIN_WORDS = 0.55, 15
"""Mean confidence of English words under which they were not understood, and how many words such a mean needs.
Measured: Spanish and French with tiny.en 0.37 to 0.48, German taken for English by base 0.52; English with a heavy
Chinese accent 0.60 or more, conversations 0.75 or more."""


def detect_language(model: Any, samples: Waveform, spans: Sequence[Span], stated: str | None) -> str:
    """Return the likeliest language of the longest windows; English unless that is very unlikely.

    `model` is a multilingual `WhisperModel`. A translation must not pass for what was said, so English that the caller
    stated is checked as well: the model would write English for other languages, too.
    """
    longest = sorted(spans, key=lambda span: span[0] - span[1])[:MAX_WINDOWS]
    seconds = sum(end - start for start, end in longest)
    shares: dict[str, float] = {}
    for start, end in longest:
        for language, probability in _probabilities(model, samples, (start, end)):
            shares[language] = shares.get(language, 0.0) + probability * (end - start) / seconds
    minimum = MIN_STATED_ENGLISH if stated == ENGLISH else MIN_ENGLISH
    if shares.get(ENGLISH, 0.0) >= minimum:
        return ENGLISH
    return max(shares, key=shares.__getitem__)


def understood(words: Sequence[Word]) -> bool:
    """Whether English words, as decoded at first, are what was said and no guesses at another language."""
    return len(words) < MIN_WORDS or float(np.mean([word.confidence for word in words])) >= MIN_UNDERSTOOD


def _probabilities(model: Any, samples: Waveform, span: Span) -> list[tuple[str, float]]:
    """The probability of each language of a window."""
    start, end = (int(edge * SAMPLE_RATE) for edge in span)
    features = pad_or_trim(model.feature_extractor(samples[start:end]))
    found = model.model.detect_language(model.encode(features[None]))[0]
    return [(token.strip("<|>"), probability) for token, probability in found]
