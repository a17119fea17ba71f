"""Verbatim quotes: finds a quote in the words of one speaker, with its times, or rejects it."""

import unicodedata
from collections.abc import Iterable, Sequence

from serve_app.pipeline.assessment.doubtful_words import doubtful_words
from serve_app.pipeline.assessment.text import Sentence, SplitUtterance
from serve_app.pipeline.sentences import join
from serve_app.pipeline.types import Evidence, Word


class QuoteIndex:
    """The words of one speaker that may serve as evidence."""

    def __init__(self, conversation: Iterable[SplitUtterance], speaker: str) -> None:
        self._speaker = speaker
        own = [utterance.sentences for utterance in conversation if utterance.speaker == speaker]
        self._runs = [run for sentences in own for run in _trusted_runs(sentences)]

    def find(self, quote: str, near: float = 0.0) -> Evidence | None:
        """Return the speaker's own words with their times; None when the speaker did not say the quote.

        Ignores case, punctuation, accents on letters and blanks. Every letter and digit must match, in order. Of
        several matches, the one nearest to `near` (seconds) counts.
        """
        letters = letters_of(quote)
        matches = [words for run in self._runs for words in run.find(letters)] if letters else []
        if not matches:
            return None
        words = min(matches, key=lambda words: abs(words[0].start - near))
        return evidence_of(words, self._speaker)


def evidence_of(words: Sequence[Word], speaker: str) -> Evidence:
    """Return a speaker's words as evidence, with those that the recogniser is not sure of."""
    start, end = round(words[0].start, 2), round(words[-1].end, 2)
    return Evidence(join(words), start, end, speaker, doubtful_words(words))


class _Run:
    """Consecutive words, as one string of letters and digits."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = [word for word in words if letters_of(word.text)]
        self._text = "".join(letters_of(word.text) for word in self._words)
        ends = [0]
        for word in self._words:
            ends.append(ends[-1] + len(letters_of(word.text)))
        self._word_at = {offset: number for number, offset in enumerate(ends)}

    def find(self, letters: str) -> Iterable[Sequence[Word]]:
        """Yield every run of whole words that spells `letters`."""
        offset = self._text.find(letters)
        while offset >= 0:
            first, last = self._word_at.get(offset), self._word_at.get(offset + len(letters))
            if first is not None and last is not None:
                yield self._words[first:last]
            offset = self._text.find(letters, offset + 1)


def letters_of(text: str) -> str:
    """Return only the letters and digits of a text, casefolded, without accents (NFKD)."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum())


def _trusted_runs(sentences: Iterable[Sentence]) -> Iterable[_Run]:
    """Words of consecutive trusted sentences. A quote never crosses an untrusted one."""
    words: list[Word] = []
    for sentence in sentences:
        if sentence.trusted:
            words += sentence.words
        elif words:
            yield _Run(words)
            words = []
    if words:
        yield _Run(words)
