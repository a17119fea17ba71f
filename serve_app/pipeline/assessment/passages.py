"""Passages: a question with the candidate's answer, what it asks for, and the sentences that are about a competency.

The judge of a competency reads only the sentences about it. So an instruction, padding or small talk cannot change the
score.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from serve_app.pipeline.assessment.normalise import normalise
from serve_app.pipeline.assessment.ports import QuestionMatcher
from serve_app.pipeline.assessment.text import Sentence, SplitUtterance
from serve_app.pipeline.assessment.words import content_stems, stems
from serve_app.pipeline.sentences import is_question
from serve_app.pipeline.types import Competency

MIN_ANSWER_WORDS = 6
"""Shorter answers ("yes, sure") are not judged."""
MAX_PASSAGE_WORDS = 240
"""A longer answer is cut into several passages. About 320 tokens."""
MAX_QUESTION_WORDS = 60
"""Words of the question: the last ones before the answer."""
QUESTION_WEIGHT = 2.0
"""A cue in the question counts double: in the answer it may be chance."""
MIN_CUES = 2
"""Cues from which a question asks for a competency (or all cues, where it has fewer), where no matcher can tell."""
MIN_CUES_UNASKED = 3
"""Cues from which an answer is about a competency that was not asked for (or all cues, where it has fewer)."""
MAX_ASKING_SENTENCES = 3
MAX_FOLLOW_UP_WORDS = 8
"""A turn of an interviewer that is no longer and asks for nothing else ("mm-hm", "and what happened then?") lets the
answer go on."""
MIN_NEW_WORDS = 4
"""Content words from which a sentence without a cue counts. "That is a good question." has fewer."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A question and the answer to it, or a part of a long answer."""

    question: str
    sentences: tuple[Sentence, ...]
    asks_for: frozenset[str] = frozenset()
    """Slugs of the competencies that the question asks for."""

    @property
    def answer(self) -> str:
        """The text to judge: the trusted sentences, normalised."""
        return normalise(" ".join(sentence.text for sentence in self.sentences if sentence.trusted))


def find_passages(conversation: Iterable[SplitUtterance], candidate: str) -> tuple[Passage, ...]:
    """Split a conversation into questions and the candidate's answers. All speech of others counts as questions."""
    passages: list[Passage] = []
    question: list[str] = []
    answer: list[Sentence] = []
    for speaker, sentences in conversation:
        if speaker == candidate:
            answer += sentences
            continue
        if answer:
            passages.append(_passage(question, answer))
            question, answer = [], []
        # Drop untrusted sentences here, too: diarization may assign the candidate's words to another speaker.
        question += [sentence.text for sentence in sentences if sentence.trusted or sentence.negation_in_doubt]
    return (*passages, _passage(question, answer)) if answer else tuple(passages)


def _passage(question: Sequence[str], answer: Sequence[Sentence]) -> Passage:
    return Passage(" ".join(" ".join(question).split()[-MAX_QUESTION_WORDS:]), tuple(answer))


def match_questions(
    passages: Sequence[Passage], competencies: Sequence[Competency], matcher: QuestionMatcher
) -> tuple[Passage, ...]:
    """Return the passages with what their questions ask for. Answers to follow-up questions join the answer before."""
    matched: list[Passage] = []
    asking = [_asking(passage.question) for passage in passages]
    rows = iter(matcher.match(competencies, [text for texts in asking for text in texts]))
    for passage, texts in zip(passages, asking, strict=True):
        verdicts = zip(*[next(rows) for _ in texts], strict=True)
        asked = frozenset(
            competency.slug
            for competency, asks in zip(competencies, verdicts, strict=False)
            if any(asks) or (None in asks and _names_enough_cues(competency, passage.question))
        )
        if not asked and matched and matched[-1].asks_for and is_follow_up(passage.question):
            matched[-1] = replace(matched[-1], sentences=matched[-1].sentences + passage.sentences)
        else:
            matched.append(replace(passage, asks_for=asked))
    return tuple(matched)


def _asking(question: str) -> list[str]:
    """The last sentences of what was said before an answer, which are matched one by one. What leads in blurs them.

    What follows the last question ("it is something for us to think about") does not ask.
    """
    texts = [text for text in re.split(r"(?<=[.?!]) ", question) if text][-MAX_ASKING_SENTENCES:]
    after = next((number for number, text in enumerate(reversed(texts)) if is_question(text)), 0)
    return texts[: len(texts) - after]


def is_follow_up(question: str) -> bool:
    """Whether a question that asks for no competency is too short to change the subject."""
    return len(question.split()) <= MAX_FOLLOW_UP_WORDS


def without_doubtful(passage: Passage) -> Passage:
    """Return the passage without the sentences that may address the assessor."""
    return replace(
        passage, sentences=tuple(sentence for sentence in passage.sentences if not sentence.verdict.doubtful)
    )


def with_doubtful_negations(passage: Passage) -> Passage:
    """Return the passage as it would be if the recogniser were sure of every negation."""
    sentences = (replace(one, trusted=True) if one.negation_in_doubt else one for one in passage.sentences)
    return replace(passage, sentences=tuple(sentences))


def relevant_passages(competency: Competency, passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """Return the relevant parts of all passages that are long enough to judge, most relevant first."""
    reduced = [relevant_part(competency, passage) for passage in passages]
    relevant = [part for passage in reduced for part in _split(passage) if is_relevant(competency, part)]
    long_enough = [part for part in relevant if len(part.answer.split()) >= MIN_ANSWER_WORDS]
    return tuple(sorted(long_enough, key=lambda part: (not asks_for(competency, part), -relevance(competency, part))))


def relevant_part(competency: Competency, passage: Passage) -> Passage:
    """Return the passage with only the sentences about the competency.

    A sentence without a cue counts when the question asks for the competency and the sentence tells of work. The
    candidate's own questions never count.
    """
    cues, asked = _cues(competency), asks_for(competency, passage)
    statements = [sentence for sentence in passage.sentences if sentence.trusted and not is_question(sentence.text)]
    return replace(passage, sentences=tuple(one for one in statements if _is_about(cues, one, asked=asked)))


def asks_for(competency: Competency, passage: Passage) -> bool:
    """Whether the question of a passage asks for a competency."""
    return competency.slug in passage.asks_for


def _names_enough_cues(competency: Competency, text: str, at_least: int = MIN_CUES) -> bool:
    """Whether a text by itself is about the competency. Without cues, none is."""
    cues = _cues(competency)
    return bool(cues) and len(cues & stems(text)) >= min(at_least, len(cues))


def _is_about(cues: AbstractSet[str], sentence: Sentence, *, asked: bool) -> bool:
    if cues & stems(sentence.text):
        return True
    enough = len(content_stems(normalise(sentence.text))) >= MIN_NEW_WORDS
    return asked and sentence.verdict.tells_of_work and enough


def _split(passage: Passage) -> list[Passage]:
    """Cut a passage between sentences into parts of at most MAX_PASSAGE_WORDS words. Returns at least one part."""
    parts: list[list[Sentence]] = [[]]
    length = 0
    for sentence in passage.sentences:
        length += len(sentence.text.split())
        if length > MAX_PASSAGE_WORDS:
            parts.append([])
            length = len(sentence.text.split())
        parts[-1].append(sentence)
    return [replace(passage, sentences=tuple(part)) for part in parts]


def is_relevant(competency: Competency, passage: Passage) -> bool:
    """Whether a passage is about a competency: the question asks for it, or the answer tells of it unasked."""
    return asks_for(competency, passage) or _names_enough_cues(competency, passage.answer, MIN_CUES_UNASKED)


def relevance(competency: Competency, passage: Passage) -> float:
    """Count the distinct cues in question and answer; those in the question count QUESTION_WEIGHT."""
    cues = _cues(competency)
    return QUESTION_WEIGHT * len(cues & stems(passage.question)) + len(cues & stems(passage.answer))


def sentence_relevance(competency: Competency, sentence: Sentence) -> float:
    """Count the cues in a sentence. Longer sentences win ties; questions come last."""
    cues = _cues(competency)
    penalty = 10.0 if is_question(sentence.text) else 0.0
    return len(cues & stems(sentence.text)) + min(len(sentence.text.split()), 30) / 100 - penalty


def _cues(competency: Competency) -> frozenset[str]:
    """Return the stems of the competency's cues and points.

    Words of its name and description are no cues: on questions of authors held out they find 42 of 100 right passages,
    and 25 of 100 that they find are right; the question matcher, 65 and 74.
    """
    return frozenset().union(*map(content_stems, (*competency.cues, *competency.points)))
