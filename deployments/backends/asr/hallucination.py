"""Detects hallucinated words in the output of a Whisper decoder.

Thresholds on log-probability, no-speech probability and compression are those of Radford et al. 2022, "Robust Speech
Recognition via Large-Scale Weak Supervision", section 4.5, as in the reference implementation. The others
were measured for this project.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments.backends.audio.voice_activity import Span, intersection, seconds
from serve_app.pipeline.types import Word

MIN_LOGPROB = -1.0
MAX_NO_SPEECH = 0.6
MAX_COMPRESSION = 2.4
MIN_CONFIDENCE, FEW_WORDS = 0.5, 5
"""FEW_WORDS or more words with a lower mean confidence are mostly wrong, whatever their log-probability. Measured:
Spanish decoded by an English model 0.43, interviews 0.86 and more, one in ten heavily accented read sentences 0.33 to
0.49."""
MAX_WORDS_PER_S = 7.0
"""Fast conversation stays below 5 words per second. Hallucinated sentences are squeezed into much less sound."""
MAX_WORD_REPEATS, MAX_PHRASE_REPEATS = 8, 4
"""Times in a row that a word, and a phrase of two to eight words, may be said without a mark."""

STOCK = {
    "you", "bye", "thank you", "thanks for watching", "thank you for watching", "thank you very much",
    "please subscribe", "subscribe to my channel", "subtitles by the amaraorg community", "see you in the next video",
}  # fmt: skip
"""What Whisper, trained on subtitles, writes for noise. Dropped only where the decoder is also unsure of speech."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded span with the decoder's own measures of confidence."""

    span: Span
    words: tuple[Word, ...]
    logprob: float
    no_speech: float
    compression: float


def failed(decoded: Decoded, speech: list[Span]) -> bool:
    """Whether to decode the span again: low confidence, repetition, or more words than its speech can hold."""
    return _unsure(decoded, speech) or bool(repeats([word.text for word in decoded.words]))


def _unsure(decoded: Decoded, speech: list[Span]) -> bool:
    """Whether no word of the span can be relied on."""
    speech_s = seconds(intersection([decoded.span], speech))
    crowded = len(decoded.words) > max(3.0, MAX_WORDS_PER_S * speech_s)
    return decoded.logprob < MIN_LOGPROB or decoded.compression > MAX_COMPRESSION or crowded


def credible(decoded: Decoded, speech: list[Span]) -> tuple[Word, ...]:
    """Return the words to keep: a span without speech gives none, doubtful words are marked `suspect`.

    Repeated words are marked, too, and never dropped: people do say things many times.
    """
    if hallucinated(decoded):
        return ()
    doubtful = _unsure(decoded, speech) or guessed(decoded)
    loops = repeats([word.text for word in decoded.words])
    return tuple(
        replace(word, suspect=doubtful or index in loops or _in_silence(word, speech))
        for index, word in enumerate(decoded.words)
    )


def hallucinated(decoded: Decoded) -> bool:
    """Whether the span holds no speech: by the decoder's own probabilities, or a stock phrase it was unsure of."""
    if decoded.no_speech > MAX_NO_SPEECH and decoded.logprob < MIN_LOGPROB:
        return True
    text = " ".join(_plain(word.text) for word in decoded.words)
    return text in STOCK and (decoded.no_speech > 0.3 or decoded.logprob < -0.7)


def guessed(decoded: Decoded) -> bool:
    """Whether the decoder guessed a sentence from sounds it did not recognise."""
    count = len(decoded.words)
    return count >= FEW_WORDS and sum(word.confidence for word in decoded.words) < MIN_CONFIDENCE * count


def repeats(texts: Sequence[str]) -> set[int]:
    """Return the indexes of words that repeat those before them more often than speakers do: perhaps a decoder's loop.

    One word may occur eight times in a row, a phrase of two to eight words four times. Of a longer row, all but the
    first occurrence is returned.
    """
    plain = [_plain(text) for text in texts]
    surplus: set[int] = set()
    for size in range(1, 9):
        limit = MAX_WORD_REPEATS if size == 1 else MAX_PHRASE_REPEATS
        start = 0
        while start + size * limit < len(plain):
            times = _times_in_a_row(plain, start, size)
            if times > limit:
                surplus.update(range(start + size, start + size * times))
                start += size * times
            else:
                start += 1
    return surplus


def _times_in_a_row(words: Sequence[str], start: int, size: int) -> int:
    phrase, times = words[start : start + size], 1
    while words[start + size * times : start + size * (times + 1)] == phrase:
        times += 1
    return times


def _in_silence(word: Word, speech: list[Span]) -> bool:
    """Whether an unsure word lies more than half a second away from any speech."""
    return word.confidence < 0.5 and not intersection([(word.start - 0.5, word.end + 0.5)], speech)


def _plain(text: str) -> str:
    return re.sub(r"[^\w\s]", "", text).lower().strip()
