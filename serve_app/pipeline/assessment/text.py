"""What was said, cut into sentences that can be quoted, and which of them may count."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from serve_app.pipeline.assessment.injection.patterns import commands
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy, InjectionVerdict
from serve_app.pipeline.assessment.injection.spans import Hear, parts, sounds, together
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Evidence, Utterance, Word

LONGEST_SENTENCE_WORDS = 45
"""A recogniser may leave out full stops for minutes; nobody clicks on a quote of that length."""
SHORTEST_PIECE_WORDS = 12
"""A long sentence is not cut nearer to its start than this."""
COMMA_S = 0.4
"""A comma is worth as much as a pause of this length when a long sentence is cut."""
NOTHING = InjectionVerdict()
CUT_IN_TWO = InjectionVerdict(severity="low")
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
    heard: InjectionVerdict = NOTHING


class Spoken(NamedTuple):
    """An utterance in sentences."""

    speaker: str
    sentences: tuple[Sentence, ...]


def listen(utterances: Iterable[Utterance], candidate: str, guard: InjectionPolicy, hear: Hear) -> tuple[Spoken, ...]:
    """What was said, in sentences, each with what the guard makes of it; all of the candidate's are heard at once."""
    said = [(utterance.speaker, _cut(utterance)) for utterance in utterances]
    own = [[word.text for word in words] for speaker, cut in said if speaker == candidate for words in cut]
    heard = iter(sounds(own, hear))
    talk = []
    for speaker, cut in said:
        sentences = [
            sentence
            for words in cut
            for sentence in (_candidates(words, next(heard), guard) if speaker == candidate else _others(words, guard))
        ]
        talk.append(Spoken(speaker, _whole(sentences)))
    return tuple(talk)


def _candidates(words: Sequence[Word], heard: Sequence[WordTags], guard: InjectionPolicy) -> Iterable[Sentence]:
    """A sentence, or its parts where one of them is meant for the grader."""
    cut = parts(heard)
    return [
        _sentence(words[part], guard.of_the_candidate(join(words[part]), together(heard[part]), cut=len(cut) > 1))
        for part in cut
    ]


def _others(words: Sequence[Word], guard: InjectionPolicy) -> Iterable[Sentence]:
    yield _sentence(words, guard.of_another(join(words)))


def _whole(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Sentences in a row, none of them trusted that is half of an instruction."""
    said = list(sentences)
    for at, (one, other) in enumerate(pairwise(said)):
        halves = (one.text, other.text)
        if commands(" ".join(halves)) and not any(map(commands, halves)):
            said[at : at + 2] = [replace(half, trusted=False, heard=CUT_IN_TWO) for half in (one, other)]
    return tuple(said)


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


class QuoteIndex:
    """The words of one speaker that may serve as evidence. A quote that is not among them was not said."""

    def __init__(self, talk: Iterable[Spoken], speaker: str) -> None:
        self._speaker = speaker
        self._runs = [run for spoken in talk if spoken.speaker == speaker for run in _trusted_runs(spoken.sentences)]

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


def _sentence(words: Sequence[Word], heard: InjectionVerdict) -> Sentence:
    trusted = heard.honest and not any(word.suspect for word in words)
    return Sentence(join(words), words[0].start, words[-1].end, trusted, tuple(words), heard)


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
