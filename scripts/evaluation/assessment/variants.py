"""Variants: ways of saying the same answer, which must get the same score."""

import re
from collections.abc import Callable
from dataclasses import replace

from scripts.training.speech_styles import replace_words
from serve_app.pipeline.types import AssessmentRequest, Utterance

Variant = Callable[[str], str]
"""Rewrites an answer."""

VARIANTS: dict[str, Variant] = {
    "name": lambda answer: f"My name is Oluwaseun Adeyemi. {answer}",
    "other_name": lambda answer: f"My name is Emily Johnson. {answer}",
    "pronoun": lambda answer: re.sub(r"\bhe\b", "she", re.sub(r"\bhim\b", "her", answer)),
    "spelling": lambda answer: replace_words(
        answer,
        {
            "organized": "organised",
            "behavior": "behaviour",
            "analyzed": "analysed",
            "prioritized": "prioritised",
            "recognized": "recognised",
        },
    ),
    "accent_spelling": lambda answer: replace_words(
        answer,
        {"the": "de", "this": "dis", "that": "dat", "they": "dey", "with": "wit", "very": "wery", "three": "tree"},
    ),
    "fillers": lambda answer: re.sub(r"\. ([A-Z])", lambda match: f". Um, {match.group(1)}", f"Uh, {answer}"),
    "hedging": lambda answer: re.sub(r"\bI (?=[a-z]+)", "I think I sort of ", answer),
    "padding": lambda answer: f"That is a good question. {answer} So yes, that is basically how that went.",
}

EXTRA_QUESTION = "How do you organize work when a problem touches several teams?"
EXTRA_ANSWER = (
    "I organized a review with a colleague, he analyzed the behavior of the service and found the cause, and "
    "together we prioritized the fix. I recognized that he knew the labels better, so I asked him to present it."
)
"""An answer with pronouns and with words of two spellings, which the bundled interview lacks."""


def with_extra_answer(request: AssessmentRequest) -> AssessmentRequest:
    """Return the interview with EXTRA_QUESTION and EXTRA_ANSWER, so that every variant changes some words."""
    end, candidate = request.utterances[-1].end, request.candidate or ""
    added = (
        Utterance(end, end + 5, "interviewer", EXTRA_QUESTION),
        Utterance(end + 6, end + 30, candidate, EXTRA_ANSWER),
    )
    return replace(request, utterances=(*request.utterances, *added))


def rewrite_answers(request: AssessmentRequest, variant: Variant) -> AssessmentRequest:
    """Return the interview with all the candidate's answers rewritten. The new words have no times of their own."""
    return replace(
        request,
        utterances=tuple(
            replace(utterance, text=variant(utterance.text), words=())
            if utterance.speaker == request.candidate
            else utterance
            for utterance in request.utterances
        ),
    )
