"""Utterances as sentences that can be quoted, each with the verdict on prompt injection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from serve_app.pipeline.assessment.injection.patterns import is_instruction
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy, InjectionVerdict
from serve_app.pipeline.assessment.injection.spans import combine, split_at_injections, tag_sentences
from serve_app.pipeline.assessment.ports import WordTagger, WordTags
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Utterance, Word

MAX_SENTENCE_WORDS = 45
"""A recogniser may leave out full stops for minutes; a longer quote is of no use to a reader."""
MIN_PIECE_WORDS = 12
"""A long sentence is not cut closer to its start than this."""
COMMA_S = 0.4
"""Where a long sentence is cut, a comma counts like a pause of this length."""
NO_VERDICT = InjectionVerdict()
HALF_INSTRUCTION = InjectionVerdict(severity="low")
"""Verdict on each half of an instruction that a full stop cuts in two."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, in the speaker's own words."""

    text: str
    start: float
    end: float
    trusted: bool
    """False where the recogniser may have invented a word, or where the sentence may address the assessor."""
    words: tuple[Word, ...] = ()
    verdict: InjectionVerdict = NO_VERDICT


class SpokenSentences(NamedTuple):
    """The sentences of one utterance."""

    speaker: str
    sentences: tuple[Sentence, ...]


def split_utterances(
    utterances: Iterable[Utterance], candidate: str, policy: InjectionPolicy, tagger: WordTagger
) -> tuple[SpokenSentences, ...]:
    """Split utterances into sentences with verdicts. All sentences of the candidate are tagged in one call."""
    cut = [(utterance.speaker, _cut(utterance)) for utterance in utterances]
    own = [[word.text for word in words] for speaker, pieces in cut if speaker == candidate for words in pieces]
    tags = iter(tag_sentences(own, tagger))
    talk = []
    for speaker, pieces in cut:
        found = [
            sentence
            for words in pieces
            for sentence in (
                _candidate_sentences(words, next(tags), policy)
                if speaker == candidate
                else [_sentence(words, policy.for_interviewer(join(words)))]
            )
        ]
        talk.append(SpokenSentences(speaker, _flag_halves(found)))
    return tuple(talk)


def _candidate_sentences(
    words: Sequence[Word], tags: Sequence[WordTags], policy: InjectionPolicy
) -> Iterable[Sentence]:
    """One sentence, or its parts where one of them addresses the assessor."""
    parts = split_at_injections(tags)
    return [
        _sentence(words[part], policy.for_candidate(join(words[part]), combine(tags[part]), split=len(parts) > 1))
        for part in parts
    ]


def _flag_halves(found: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Flag two neighbouring sentences that only together are an instruction."""
    checked = list(found)
    for at, (one, other) in enumerate(pairwise(checked)):
        halves = (one.text, other.text)
        if is_instruction(" ".join(halves)) and not any(map(is_instruction, halves)):
            checked[at : at + 2] = [replace(half, trusted=False, verdict=HALF_INSTRUCTION) for half in (one, other)]
    return tuple(checked)


def _cut(utterance: Utterance) -> list[Sequence[Word]]:
    return [piece for part in sentences(words_of(utterance)) for piece in _pieces(part)]


def words_of(utterance: Utterance) -> tuple[Word, ...]:
    """An utterance's words. Words without times are spread evenly over the utterance."""
    if utterance.words:
        return utterance.words
    texts = utterance.text.split()
    step = (utterance.end - utterance.start) / max(1, len(texts))
    return tuple(
        Word(utterance.start + i * step, utterance.start + (i + 1) * step, text) for i, text in enumerate(texts)
    )


def _sentence(words: Sequence[Word], verdict: InjectionVerdict) -> Sentence:
    trusted = verdict.may_be_judged and not any(word.suspect for word in words)
    return Sentence(join(words), words[0].start, words[-1].end, trusted, tuple(words), verdict)


def _pieces(words: Sequence[Word]) -> Iterable[Sequence[Word]]:
    """A sentence, or the pieces of one without end: cut at its longest pauses and commas."""
    while len(words) > MAX_SENTENCE_WORDS:
        latest = min(MAX_SENTENCE_WORDS, len(words) - 1)
        cut = max(range(MIN_PIECE_WORDS, latest + 1), key=lambda at: _gap(words[at - 1], words[at]))
        yield words[:cut]
        words = words[cut:]
    yield words


def _gap(one: Word, other: Word) -> float:
    return other.start - one.end + (COMMA_S if one.text.endswith((",", ";", ":", "，", "、")) else 0.0)
