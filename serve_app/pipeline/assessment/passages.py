"""Passages: a question with the candidate's answer, and the part of it that is about a competency.

The judge of a competency reads only the sentences about it. A sentence about something else cannot change the score, be
it an instruction, padding or small talk.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.text import Sentence, SpokenSentences
from serve_app.pipeline.assessment.words import content_stems, stems
from serve_app.pipeline.sentences import is_question
from serve_app.pipeline.types import Competency

MIN_ANSWER_WORDS = 6
"""Shorter answers ("yes, sure") say nothing about a competency."""
MAX_PASSAGE_WORDS = 240
"""A longer answer is cut into several passages. About 320 tokens."""
MAX_QUESTION_WORDS = 60
"""The question is the last words that an interviewer says before an answer."""
QUESTION_WEIGHT = 2.0
"""A cue in the question says what was asked; a cue in the answer may be chance."""
MIN_RELEVANCE = 3.0
"""A cue in the question and one in the answer, or three in the answer."""
MIN_CUES = 2
"""One word proves nothing, however often it occurs, unless the competency has no other cue. One cue in the question and
another in the answer prove little, too ("any issues?", "no problems")."""
MIN_NEW_WORDS = 4
"""A sentence without a cue that says less ("That is a good question.") adds nothing to an answer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A question and the answer to it, or a part of a long answer."""

    question: str
    sentences: tuple[Sentence, ...]

    @property
    def answer(self) -> str:
        """The text to be judged: the trusted sentences, normalised."""
        return normalise(" ".join(sentence.text for sentence in self.sentences if sentence.trusted))


def find_passages(talk: Iterable[SpokenSentences], candidate: str) -> tuple[Passage, ...]:
    """Split a conversation into questions and the candidate's answers. All that others say in between is a question."""
    passages: list[Passage] = []
    question: list[str] = []
    answer: list[Sentence] = []
    for speaker, sentences in talk:
        if speaker == candidate:
            answer += sentences
            continue
        if answer:
            passages.append(_passage(question, answer))
            question, answer = [], []
        # Untrusted here, too: the candidate's words may have been assigned to another speaker by mistake.
        question += [sentence.text for sentence in sentences if sentence.trusted]
    return (*passages, _passage(question, answer)) if answer else tuple(passages)


def _passage(question: Sequence[str], answer: Sequence[Sentence]) -> Passage:
    return Passage(" ".join(" ".join(question).split()[-MAX_QUESTION_WORDS:]), tuple(answer))


def without_doubtful(passage: Passage) -> Passage:
    """The passage without the sentences that may address the assessor after all."""
    return replace(passage, sentences=tuple(one for one in passage.sentences if not one.verdict.doubtful))


def relevant_passages(competency: Competency, passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """The relevant parts of all passages that say enough to be judged, most relevant first."""
    kept = [relevant_part(competency, passage) for passage in passages]
    relevant = [part for passage in kept for part in _split(passage) if is_relevant(competency, part)]
    long_enough = [part for part in relevant if len(part.answer.split()) >= MIN_ANSWER_WORDS]
    return tuple(sorted(long_enough, key=lambda part: -relevance(competency, part)))


def relevant_part(competency: Competency, passage: Passage) -> Passage:
    """The passage with only those sentences that are about the competency.

    A sentence without a cue counts where the question asks for the competency and the sentence tells of work. The
    candidate's own questions never count.
    """
    cues, asked = _cues(competency), _names_enough_cues(competency, passage.question)
    said = [sentence for sentence in passage.sentences if sentence.trusted and not is_question(sentence.text)]
    return replace(passage, sentences=tuple(one for one in said if _is_about(cues, one, asked=asked)))


def _names_enough_cues(competency: Competency, text: str) -> bool:
    """Whether a text alone is about the competency."""
    cues = _cues(competency)
    return len(cues & stems(text)) >= min(MIN_CUES, len(cues))


def _is_about(cues: AbstractSet[str], sentence: Sentence, *, asked: bool) -> bool:
    if cues & stems(sentence.text):
        return True
    enough = len(content_stems(normalise(sentence.text))) >= MIN_NEW_WORDS
    return asked and sentence.verdict.tells_of_work and enough


def _split(passage: Passage) -> list[Passage]:
    """Passages of at most MAX_PASSAGE_WORDS words, cut between sentences. At least one, even without words."""
    cut: list[list[Sentence]] = [[]]
    length = 0
    for sentence in passage.sentences:
        length += len(sentence.text.split())
        if length > MAX_PASSAGE_WORDS:
            cut.append([])
            length = len(sentence.text.split())
        cut[-1].append(sentence)
    return [replace(passage, sentences=tuple(part)) for part in cut]


def is_relevant(competency: Competency, passage: Passage) -> bool:
    """Whether a passage is about a competency: its question or its answer by itself, with enough cues in both."""
    alone = _names_enough_cues(competency, passage.question) or _names_enough_cues(competency, passage.answer)
    return alone and relevance(competency, passage) >= MIN_RELEVANCE


def relevance(competency: Competency, passage: Passage) -> float:
    """Distinct cues of the competency in question and answer; those in the question count double."""
    cues = _cues(competency)
    return QUESTION_WEIGHT * len(cues & stems(passage.question)) + len(cues & stems(passage.answer))


def sentence_relevance(competency: Competency, sentence: Sentence) -> float:
    """Number of cues in a sentence. Longer sentences win among equals; questions come last."""
    cues = _cues(competency)
    asks = 10.0 if is_question(sentence.text) else 0.0
    return len(cues & stems(sentence.text)) + min(len(sentence.text.split()), 30) / 100 - asks


def _cues(competency: Competency) -> frozenset[str]:
    """Stems of the competency's cues and points or, where it has neither, of its name and description."""
    sources = (*competency.cues, *competency.points) or (competency.name, competency.description)
    return frozenset().union(*map(content_stems, sources))
