"""Splits utterances into sentences that can be quoted, each with its verdict on prompt injection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from serve_app.pipeline.assessment.doubtful_words import negation_in_doubt
from serve_app.pipeline.assessment.injection.patterns import is_instruction
from serve_app.pipeline.assessment.injection.policy import FLAGGED_WITH_PATTERN, InjectionPolicy, InjectionVerdict
from serve_app.pipeline.assessment.injection.rights import is_a_right
from serve_app.pipeline.assessment.injection.spans import combine, split_at_injections, tag_sentences
from serve_app.pipeline.assessment.ports import WordTagger, WordTags
from serve_app.pipeline.sentences import join
from serve_app.pipeline.sentences import sentences as split_sentences
from serve_app.pipeline.types import Utterance, Word

MAX_SENTENCE_WORDS = 45
"""Longer sentences are cut. A recogniser may leave out full stops for minutes, and readers need short quotes."""
MIN_PIECE_WORDS = 12
"""Shortest first part of a sentence that is cut."""
COMMA_S = 0.4
"""Seconds. A comma counts like a pause of this length when the cut is chosen."""
NO_VERDICT = InjectionVerdict()


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, in the speaker's own words."""

    text: str
    start: float
    end: float
    trusted: bool
    """False where the recogniser may have invented a word or got a negation wrong, or where the sentence may address
    the assessor."""
    words: tuple[Word, ...] = ()
    verdict: InjectionVerdict = NO_VERDICT
    negation_in_doubt: bool = False
    """Whether it would be trusted if the recogniser were surer of a negation."""


class SplitUtterance(NamedTuple):
    """The sentences of one utterance, in order."""

    speaker: str
    sentences: tuple[Sentence, ...]


def split_utterances(
    utterances: Iterable[Utterance], candidate: str, policy: InjectionPolicy, tagger: WordTagger
) -> tuple[SplitUtterance, ...]:
    """Split utterances into sentences with verdicts. Tags all sentences of the candidate in one call."""
    spoken = [(utterance.speaker, _split(utterance)) for utterance in utterances]
    own = [[word.text for word in words] for speaker, parts in spoken if speaker == candidate for words in parts]
    tags = iter(tag_sentences(own, tagger))
    conversation = []
    for speaker, parts in spoken:
        sentences = [
            sentence
            for words in parts
            for sentence in (
                _candidate_sentences(words, next(tags), policy)
                if speaker == candidate
                else [_sentence(words, policy.for_interviewer(join(words)))]
            )
        ]
        conversation.append(SplitUtterance(speaker, _leave_out_halves(sentences)))
    return tuple(conversation)


def _candidate_sentences(
    words: Sequence[Word], tags: Sequence[WordTags], policy: InjectionPolicy
) -> Iterable[Sentence]:
    """Build one sentence, or several where a part of it addresses the assessor."""
    parts = [slice(None)] if is_a_right(join(words)) else split_at_injections(tags)
    return [
        _sentence(words[part], policy.for_candidate(join(words[part]), combine(tags[part]), split=len(parts) > 1))
        for part in parts
    ]


def _leave_out_halves(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Leave out neighbouring sentences that form an instruction only together. Flag them where the tagger agrees."""
    checked = list(sentences)
    for index, pair in enumerate(pairwise(checked)):
        texts = [sentence.text for sentence in pair]
        if is_instruction(" ".join(texts)) and not any(map(is_instruction, texts)):
            agreed = any(half.verdict.tags.injection >= FLAGGED_WITH_PATTERN for half in pair)
            checked[index : index + 2] = [_half_instruction(half, flagged=agreed) for half in pair]
    return tuple(checked)


def _half_instruction(half: Sentence, *, flagged: bool) -> Sentence:
    verdict = half.verdict._replace(severity="low" if flagged else None, matched=True)
    return replace(half, trusted=False, verdict=verdict, negation_in_doubt=False)


def _split(utterance: Utterance) -> list[Sequence[Word]]:
    return [part for words in split_sentences(words_of(utterance)) for part in _cut_long(words)]


def words_of(utterance: Utterance) -> tuple[Word, ...]:
    """Return an utterance's words. Spreads its text evenly over its time where it has no words."""
    if utterance.words:
        return utterance.words
    texts = utterance.text.split()
    step = (utterance.end - utterance.start) / max(1, len(texts))
    return tuple(
        Word(utterance.start + index * step, utterance.start + (index + 1) * step, text)
        for index, text in enumerate(texts)
    )


def _sentence(words: Sequence[Word], verdict: InjectionVerdict) -> Sentence:
    sound = verdict.may_be_judged and not any(word.suspect for word in words)
    in_doubt = sound and negation_in_doubt(words)
    return Sentence(join(words), words[0].start, words[-1].end, sound and not in_doubt, tuple(words), verdict, in_doubt)


def _cut_long(words: Sequence[Word]) -> Iterable[Sequence[Word]]:
    """Cut a long sentence at its longest pauses and commas."""
    while len(words) > MAX_SENTENCE_WORDS:
        latest = min(MAX_SENTENCE_WORDS, len(words) - 1)
        cut = max(range(MIN_PIECE_WORDS, latest + 1), key=lambda index: _gap(words[index - 1], words[index]))
        yield words[:cut]
        words = words[cut:]
    yield words


def _gap(before: Word, after: Word) -> float:
    """Seconds between two words, plus the worth of a comma."""
    return after.start - before.end + (COMMA_S if before.text.endswith((",", ";", ":", "，", "、")) else 0.0)
