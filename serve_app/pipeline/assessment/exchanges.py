"""Questions with the candidate's answers, and which of them touch a competency."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from serve_app.pipeline.assessment.injection import addresses_the_grader
from serve_app.pipeline.assessment.neutral import neutral
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Competency, Evidence, Utterance, Word

FEWEST_WORDS = 6
"""Shorter answers ("yes, sure") say nothing about a competency."""
BEST = 2
"""Passages judged for one competency."""
QUESTION_WEIGHT = 2.0
"""A cue in the question says what was asked; one in the answer may be chance."""
TOUCHED = 3.0
"""Least relevance: a cue in the question and one in the answer, or three in the answer."""
COMMON = re.compile(
    r"an?|the|of|to|in|is|are|was|were|be|been|its?|that|this|which|and|or|for|on|at|by|as|with|from|can|will|not|than|"
    r"then|so|if|when|you|your|i|they|their|he|she|we|our|ha[sd]|have|do|does"
)
"""Words that every text holds."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the candidate, in their own words."""

    text: str
    start: float
    end: float
    trusted: bool
    """False where the recogniser may have invented a word, or the sentence speaks to the grader."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer to it."""

    question: str
    sentences: tuple[Sentence, ...]

    @property
    def answer(self) -> str:
        """What may be judged: the trusted sentences, without what must not count."""
        return neutral(" ".join(sentence.text for sentence in self.sentences if sentence.trusted))

    def evidence(self, sentence: Sentence, speaker: str) -> Evidence:
        """A sentence as evidence."""
        return Evidence(sentence.text, round(sentence.start, 2), round(sentence.end, 2), speaker)


def exchanges(utterances: Sequence[Utterance], candidate: str) -> tuple[Exchange, ...]:
    """Split a conversation into questions and the candidate's answers; other voices between answers are questions."""
    found: list[Exchange] = []
    question: list[str] = []
    answer: list[Sentence] = []
    for utterance in utterances:
        if utterance.speaker == candidate:
            answer += _sentences(utterance)
            continue
        if answer:
            found.append(Exchange(" ".join(question), tuple(answer)))
            question, answer = [], []
        question.append(utterance.text)
    if answer:
        found.append(Exchange(" ".join(question), tuple(answer)))
    return tuple(found)


def touching(competency: Competency, all_exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """The exchanges most relevant to a competency, best first; none when it was never touched."""
    long_enough = [exchange for exchange in all_exchanges if len(exchange.answer.split()) >= FEWEST_WORDS]
    ranked = sorted(long_enough, key=lambda exchange: -relevance(competency, exchange))
    return tuple(exchange for exchange in ranked[:BEST] if relevance(competency, exchange) >= TOUCHED)


def relevance(competency: Competency, exchange: Exchange) -> float:
    """Distinct cues of the competency in question and answer, those of the question counted double."""
    cues = _cues(competency)
    return QUESTION_WEIGHT * len(cues & stems(exchange.question)) + len(cues & stems(exchange.answer))


def density(competency: Competency, sentence: Sentence) -> float:
    """How much of a sentence touches a competency: cues found, longer sentences preferred among equals."""
    cues = _cues(competency)
    return len(cues & stems(sentence.text)) + min(len(sentence.text.split()), 30) / 100


def _cues(competency: Competency) -> set[str]:
    return {stem(cue) for cue in competency.cues}.union(*map(content, competency.points))


def content(text: str) -> set[str]:
    """The stems of a text's words but the commonest."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {stem(word) for word in words if not COMMON.fullmatch(word)}


def stems(text: str) -> set[str]:
    """The stems of a text's words."""
    return {stem(word) for word in re.findall(r"[a-z']+", text.lower())}


@cache
def stem(word: str) -> str:
    """A word without its commonest English ending: enough to match "solved" with "solve"."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def _sentences(utterance: Utterance) -> list[Sentence]:
    words = utterance.words or _even_words(utterance)
    return [_sentence(part) for part in sentences(words)]


def _sentence(words: Sequence[Word]) -> Sentence:
    text = join(words)
    trusted = not any(word.suspect for word in words) and not addresses_the_grader(text)
    return Sentence(text, words[0].start, words[-1].end, trusted)


def _even_words(utterance: Utterance) -> tuple[Word, ...]:
    """Words of an utterance that came without times, spread evenly over it."""
    texts = utterance.text.split()
    step = (utterance.end - utterance.start) / max(1, len(texts))
    return tuple(
        Word(utterance.start + i * step, utterance.start + (i + 1) * step, text) for i, text in enumerate(texts)
    )
