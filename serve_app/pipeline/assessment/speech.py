"""What was said, cut into sentences that can be quoted, and which of them may count."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from serve_app.pipeline.assessment.forms import commands
from serve_app.pipeline.assessment.injection import Guard, Heard
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Evidence, Utterance, Word

LONGEST_SENTENCE_WORDS = 45
"""A recogniser may leave out full stops for minutes; nobody clicks on a quote of that length."""
SHORTEST_PIECE_WORDS = 12
"""A long sentence is not cut nearer to its start than this."""
COMMA_S = 0.4
"""A comma is worth as much as a pause of this length when a long sentence is cut."""
NOTHING = Heard()
CUT_IN_TWO = Heard(severity="low")
"""Of each half of an instruction."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, in the speaker's own words."""

    text: str
    start: float
    end: float
    trusted: bool
    """False where the recogniser may have invented a word, or the sentence may speak to the grader."""
    words: tuple[Word, ...] = ()
    heard: Heard = NOTHING


def spoken(utterance: Utterance, hear: Callable[[str], Heard]) -> list[Sentence]:
    """An utterance in sentences. One that may speak to the grader is not trusted, also when it was cut in two."""
    said = [_sentence(words, join(words), hear) for words in _cut(utterance)]
    for (at, one), (_, other) in pairwise(enumerate(said)):
        together = f"{one.text} {other.text}"
        if commands(together) and hear(together).severity and not (commands(one.text) or commands(other.text)):
            said[at : at + 2] = [replace(half, trusted=False, heard=CUT_IN_TWO) for half in (one, other)]
    return said


def texts(utterance: Utterance) -> list[str]:
    """The sentences of an utterance, as they will be heard."""
    return [join(words) for words in _cut(utterance)]


def _cut(utterance: Utterance) -> list[Sequence[Word]]:
    return [piece for part in sentences(words_of(utterance)) for piece in _pieces(part)]


def words_of(utterance: Utterance) -> tuple[Word, ...]:
    """An utterance's words; those that came without times are spread evenly over it."""
    if utterance.words:
        return utterance.words
    texts = utterance.text.split()
    step = (utterance.end - utterance.start) / max(1, len(texts))
    return tuple(
        Word(utterance.start + i * step, utterance.start + (i + 1) * step, text) for i, text in enumerate(texts)
    )


class Said:
    """The words of one speaker that may serve as evidence. A quote that is not among them was not said."""

    def __init__(self, utterances: Iterable[Utterance], speaker: str, guard: Guard) -> None:
        self._speaker = speaker
        own = [utterance for utterance in utterances if utterance.speaker == speaker]
        self._runs = [run for utterance in own for run in _trusted_runs(spoken(utterance, guard.of_the_candidate))]

    def find(self, quote: str, near: float = 0.0) -> Evidence | None:
        """The quote as it was said and when, nearest to `near` seconds; None when these words were not said so.

        Case, punctuation, accents on letters and blanks do not matter; order and every letter and digit do.
        """
        wanted = plain(quote)
        found = [words for run in self._runs for words in run.find(wanted)] if wanted else []
        if not found:
            return None
        words = min(found, key=lambda words: abs(words[0].start - near))
        return Evidence(join(words), round(words[0].start, 2), round(words[-1].end, 2), self._speaker)


class _Run:
    """Words in a row, as one string of letters and digits."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = [word for word in words if plain(word.text)]
        self._text = "".join(plain(word.text) for word in self._words)
        ends = [0]
        for word in self._words:
            ends.append(ends[-1] + len(plain(word.text)))
        self._border = {at: number for number, at in enumerate(ends)}

    def find(self, wanted: str) -> Iterable[Sequence[Word]]:
        """Every place where the words spell `wanted`."""
        at = self._text.find(wanted)
        while at >= 0:
            first, last = self._border.get(at), self._border.get(at + len(wanted))
            if first is not None and last is not None:
                yield self._words[first:last]
            at = self._text.find(wanted, at + 1)


def plain(text: str) -> str:
    """Letters and digits alone, in one form."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum())


def _trusted_runs(said: Iterable[Sentence]) -> Iterable[_Run]:
    words: list[Word] = []
    for sentence in said:
        if sentence.trusted:
            words += sentence.words
        elif words:
            yield _Run(words)
            words = []
    if words:
        yield _Run(words)


def _sentence(words: Sequence[Word], text: str, hear: Callable[[str], Heard]) -> Sentence:
    heard = hear(text)
    trusted = heard.honest and not any(word.suspect for word in words)
    return Sentence(text, words[0].start, words[-1].end, trusted, tuple(words), heard)


def _pieces(words: Sequence[Word]) -> Iterable[Sequence[Word]]:
    """A sentence, or the parts of one without end: cut at its longest pauses and commas."""
    while len(words) > LONGEST_SENTENCE_WORDS:
        latest = min(LONGEST_SENTENCE_WORDS, len(words) - 1)
        cut = max(range(SHORTEST_PIECE_WORDS, latest + 1), key=lambda at: _gap(words[at - 1], words[at]))
        yield words[:cut]
        words = words[cut:]
    yield words


def _gap(one: Word, other: Word) -> float:
    return other.start - one.end + (COMMA_S if one.text.endswith((",", ";", ":", "，", "、")) else 0.0)
