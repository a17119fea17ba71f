"""Questions with the candidate's answers, and which of them touch a competency."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from serve_app.pipeline.assessment.neutral import neutral
from serve_app.pipeline.assessment.speech import Sentence, spoken
from serve_app.pipeline.sentences import is_question
from serve_app.pipeline.types import Competency, Evidence, Utterance

FEWEST_WORDS = 6
"""Shorter answers ("yes, sure") say nothing about a competency."""
PASSAGE_WORDS = 240
"""A longer answer is cut into several passages. About 320 tokens."""
QUESTION_WORDS = 60
"""Of what an interviewer says before an answer, the last words are the question."""
QUESTION_WEIGHT = 2.0
"""A cue in the question says what was asked; one in the answer may be chance."""
TOUCHED = 3.0
"""Least relevance: a cue in the question and another in the answer, or three in the answer."""
FEWEST_CUES = 2
"""A single word proves nothing, however often it falls, unless the competency has no other."""
COMMON = re.compile(
    r"an?|the|of|to|in|is|are|was|were|be|been|its?|that|this|which|and|or|for|on|at|by|as|with|from|can|will|not|than|"
    r"then|so|if|when|you|your|i|they|their|he|she|we|our|ha[sd]|have|do|does"
)
"""Words that every text holds."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the answer to it, or a passage of a long one."""

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
            answer += spoken(utterance)
            continue
        if answer:
            found += _passages(question, answer)
            question, answer = [], []
        # The candidate's words may stand under another voice by mistake: there, too, nobody speaks to the grader.
        question += [sentence.text for sentence in spoken(utterance) if sentence.trusted]
    return (*found, *_passages(question, answer))


def _passages(question: Sequence[str], answer: Sequence[Sentence]) -> list[Exchange]:
    """An answer in passages of at most PASSAGE_WORDS, cut between sentences."""
    asked = " ".join(" ".join(question).split()[-QUESTION_WORDS:])
    cut: list[list[Sentence]] = []
    length = PASSAGE_WORDS
    for sentence in answer:
        length += len(sentence.text.split())
        if length > PASSAGE_WORDS:
            cut.append([])
            length = len(sentence.text.split())
        cut[-1].append(sentence)
    return [Exchange(asked, tuple(part)) for part in cut]


def touching(competency: Competency, all_exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """The exchanges that touch a competency and say enough to be judged, most relevant first."""
    long_enough = [exchange for exchange in all_exchanges if len(exchange.answer.split()) >= FEWEST_WORDS]
    found = [exchange for exchange in long_enough if touches(competency, exchange)]
    return tuple(sorted(found, key=lambda exchange: -relevance(competency, exchange)))


def touches(competency: Competency, exchange: Exchange) -> bool:
    """Whether question and answer together are about a competency."""
    cues = _cues(competency)
    distinct = cues & (stems(exchange.question) | stems(exchange.answer))
    return len(distinct) >= min(FEWEST_CUES, len(cues)) and relevance(competency, exchange) >= TOUCHED


def relevance(competency: Competency, exchange: Exchange) -> float:
    """Distinct cues of the competency in question and answer, those of the question counted double."""
    cues = _cues(competency)
    return QUESTION_WEIGHT * len(cues & stems(exchange.question)) + len(cues & stems(exchange.answer))


def density(competency: Competency, sentence: Sentence) -> float:
    """How much of a sentence touches a competency: cues found, longer ones preferred among equals, questions last."""
    cues = _cues(competency)
    asks = 10.0 if is_question(sentence.text) else 0.0
    return len(cues & stems(sentence.text)) + min(len(sentence.text.split()), 30) / 100 - asks


def _cues(competency: Competency) -> frozenset[str]:
    """Stems that touch a competency: of its cues and points or, where it has neither, of what it says it is."""
    told = (*competency.cues, *competency.points) or (competency.name, competency.description)
    return frozenset().union(*map(content, told))


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
