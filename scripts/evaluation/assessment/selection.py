"""Selection: does the judge of a competency get the answers that were asked for it, and no others?

Interviews are composed of answers with a known competency, one to each, with small talk before and follow-ups inside.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from scripts.evaluation.assessment.models import ReadingModel
from scripts.training.graded_answers import GradedAnswer, product_competencies
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy
from serve_app.pipeline.assessment.passages import find_passages, match_questions, relevant_passages
from serve_app.pipeline.assessment.text import split_utterances, words_of
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Competency, Utterance

SMALL_TALK = (
    ("Good morning. Did you find us all right?", "Yes, thank you, the tram stops right outside, so that was easy."),
    ("Lovely. Can I get you a glass of water?", "No, I am fine, I had a coffee on the way over here."),
)
LEAD_IN = "All right, thank you. Let us go on."
FOLLOW_UPS = ("Mm-hm.", "And what happened then?", "Okay, go on.")
"""Said in the middle of every second answer."""


def compose(answers: Sequence[GradedAnswer]) -> Iterator[list[GradedAnswer]]:
    """Yield interviews: lists with at most one answer to each competency."""
    left = sorted(answers, key=lambda one: one.competency.slug)
    by_competency = [list(group) for _, group in groupby(left, key=lambda one: one.competency.slug)]
    for number in range(max(map(len, by_competency))):
        rotated = by_competency[number % len(by_competency) :] + by_competency[: number % len(by_competency)]
        yield [group[number] for group in rotated if number < len(group)]


def spoken(interview: Sequence[GradedAnswer]) -> list[Utterance]:
    """Return the utterances of an interview."""
    turns = [*SMALL_TALK]
    for number, one in enumerate(interview):
        parts = [join(words) for words in sentences(words_of(Utterance(0.0, 60.0, "", one.answer)))]
        middle = len(parts) // 2 if number % 2 else 0
        question = f"{LEAD_IN} {one.question}" if number % 3 else one.question
        if middle:
            turns.append((question, " ".join(parts[:middle])))
            question = FOLLOW_UPS[number % len(FOLLOW_UPS)]
        turns.append((question, " ".join(parts[middle:])))
    return [
        Utterance(20.0 * at + 10 * side, 20.0 * at + 10 * side + 9, ("interviewer", "candidate")[side], text)
        for at, turn in enumerate(turns)
        for side, text in enumerate(turn)
    ]


def measure_selection(answers: Sequence[GradedAnswer], reader: ReadingModel) -> dict[str, Any]:
    """Return recall and precision of (competency, answer) pairs, over interviews composed of these answers."""
    competencies = list(product_competencies().values())
    found = right = there = 0
    for interview in compose(answers):
        for competency, texts in _selected(spoken(interview), competencies, reader).items():
            own = [one for one in interview if one.competency.slug == competency]
            hits = [one for one in own if any(_from(text, one) for text in texts)]
            there, right = there + len(own), right + len(hits)
            found += len(hits) + sum(not any(_from(text, one) for one in own) for text in texts)
    return {
        "recall": round(right / there, 3),
        "precision": round(right / found, 3) if found else 0.0,
        "answers": there,
    }


def _selected(
    utterances: Sequence[Utterance], competencies: Sequence[Competency], reader: ReadingModel
) -> dict[str, list[str]]:
    """What the judge of each competency may read, passage by passage."""
    policy = InjectionPolicy(anchor for one in competencies for anchor in one.anchors.values())
    passages = find_passages(split_utterances(utterances, "candidate", policy, reader), "candidate")
    matched = match_questions(passages, competencies, reader)
    return {one.slug: [part.sentences[0].text for part in relevant_passages(one, matched)] for one in competencies}


def _from(sentence: str, answer: GradedAnswer) -> bool:
    return sentence in answer.answer
