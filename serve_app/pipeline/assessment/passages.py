"""Questions with the candidate's answers, and what of them is about a competency.

The judge of a competency reads the sentences that are about it and no others: what says nothing of it cannot change its
score, be it an instruction, padding or small talk.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cache

from serve_app.pipeline.assessment.normalise import neutral
from serve_app.pipeline.assessment.text import Sentence, Spoken
from serve_app.pipeline.sentences import is_question
from serve_app.pipeline.types import Competency

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
"""A single word proves nothing, however often it falls, unless the competency has no other. One in the question and
another in the answer prove little, too ("any issues?", "no problems")."""
FEWEST_NEW_WORDS = 4
"""A sentence without a cue that says less ("That is a good question.") adds nothing to an answer."""
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


def exchanges(talk: Iterable[Spoken], candidate: str) -> tuple[Exchange, ...]:
    """Split a conversation into questions and the candidate's answers; other voices between answers are questions."""
    found: list[Exchange] = []
    question: list[str] = []
    answer: list[Sentence] = []
    for speaker, sentences in talk:
        if speaker == candidate:
            answer += sentences
            continue
        if answer:
            found.append(_exchange(question, answer))
            question, answer = [], []
        # The candidate's words may stand under another voice by mistake: there, too, nobody speaks to the grader.
        question += [sentence.text for sentence in sentences if sentence.trusted]
    return (*found, _exchange(question, answer)) if answer else tuple(found)


def _exchange(question: Sequence[str], answer: Sequence[Sentence]) -> Exchange:
    return Exchange(" ".join(" ".join(question).split()[-QUESTION_WORDS:]), tuple(answer))


def undoubted(exchange: Exchange) -> Exchange:
    """The exchange without what may be meant for the grader after all."""
    return replace(exchange, sentences=tuple(one for one in exchange.sentences if not one.heard.doubtful))


def touching(competency: Competency, all_exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """What touches a competency and says enough to be judged, in passages, most relevant first."""
    kept = [about(competency, exchange) for exchange in all_exchanges]
    found = [part for exchange in kept for part in _passages(exchange) if touches(competency, part)]
    long_enough = [part for part in found if len(part.answer.split()) >= FEWEST_WORDS]
    return tuple(sorted(long_enough, key=lambda part: -relevance(competency, part)))


def about(competency: Competency, exchange: Exchange) -> Exchange:
    """The exchange with those sentences alone that are about the competency.

    A sentence without one of its cues counts where the question asks for the competency, if it tells of work.
    Questions back say nothing about the one who asks.
    """
    cues, asked = _cues(competency), _asked(competency, exchange.question)
    said = [sentence for sentence in exchange.sentences if sentence.trusted and not is_question(sentence.text)]
    kept = [sentence for sentence in said if _says_of(cues, sentence, asked=asked)]
    return replace(exchange, sentences=tuple(kept))


def _asked(competency: Competency, question: str) -> bool:
    """Whether the question alone is about the competency."""
    cues = _cues(competency)
    return len(cues & stems(question)) >= min(FEWEST_CUES, len(cues))


def _says_of(cues: AbstractSet[str], sentence: Sentence, *, asked: bool) -> bool:
    if cues & stems(sentence.text):
        return True
    return asked and sentence.heard.tells and len(content(neutral(sentence.text))) >= FEWEST_NEW_WORDS


def _passages(exchange: Exchange) -> list[Exchange]:
    """An answer in passages of at most PASSAGE_WORDS, cut between sentences; at least one, if without words."""
    cut: list[list[Sentence]] = [[]]
    length = 0
    for sentence in exchange.sentences:
        length += len(sentence.text.split())
        if length > PASSAGE_WORDS:
            cut.append([])
            length = len(sentence.text.split())
        cut[-1].append(sentence)
    return [replace(exchange, sentences=tuple(part)) for part in cut]


def touches(competency: Competency, exchange: Exchange) -> bool:
    """Whether question and answer are about a competency: one of them by itself, with enough cues in both."""
    by_itself = _asked(competency, exchange.question) or _asked(competency, exchange.answer)
    return by_itself and relevance(competency, exchange) >= TOUCHED


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
