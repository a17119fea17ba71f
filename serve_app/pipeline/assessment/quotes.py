"""Verbatim quotes: what one speaker said, searchable by its letters. A quote that is not found was not said."""

import unicodedata
from collections.abc import Iterable, Sequence

from serve_app.pipeline.assessment.text import Sentence, SpokenSentences
from serve_app.pipeline.sentences import join
from serve_app.pipeline.types import Evidence, Word


class QuoteIndex:
    """The words of one speaker that may serve as evidence."""

    def __init__(self, talk: Iterable[SpokenSentences], speaker: str) -> None:
        self._speaker = speaker
        self._runs = [run for spoken in talk if spoken.speaker == speaker for run in _trusted_runs(spoken.sentences)]

    def find(self, quote: str, near: float = 0.0) -> Evidence | None:
        """The quote as it was said, with its times, nearest to `near` seconds; None when it was not said.

        Ignores case, punctuation, accents on letters and blanks. The order and every letter and digit must match.
        """
        letters = letters_of(quote)
        matches = [words for run in self._runs for words in run.find(letters)] if letters else []
        if not matches:
            return None
        words = min(matches, key=lambda words: abs(words[0].start - near))
        return Evidence(join(words), round(words[0].start, 2), round(words[-1].end, 2), self._speaker)


class _Run:
    """Consecutive words, as one string of letters and digits."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = [word for word in words if letters_of(word.text)]
        self._text = "".join(letters_of(word.text) for word in self._words)
        ends = [0]
        for word in self._words:
            ends.append(ends[-1] + len(letters_of(word.text)))
        self._border = {at: number for number, at in enumerate(ends)}

    def find(self, letters: str) -> Iterable[Sequence[Word]]:
        """Every place where whole words spell `letters`."""
        at = self._text.find(letters)
        while at >= 0:
            first, last = self._border.get(at), self._border.get(at + len(letters))
            if first is not None and last is not None:
                yield self._words[first:last]
            at = self._text.find(letters, at + 1)


def letters_of(text: str) -> str:
    """Letters and digits alone, in one form."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum())


def _trusted_runs(sentences: Iterable[Sentence]) -> Iterable[_Run]:
    words: list[Word] = []
    for sentence in sentences:
        if sentence.trusted:
            words += sentence.words
        elif words:
            yield _Run(words)
            words = []
    if words:
        yield _Run(words)
