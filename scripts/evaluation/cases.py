"""Cases that an assessment is tried on: attacks, and ways of saying the same that must be judged alike."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from serve_app.pipeline.types import AssessmentRequest, Utterance

CASES = Path(__file__).parent / "data"
LOOKED_AT = tuple(sorted(folder.name for folder in (CASES / "tried").iterdir()))
"""Authors whose words nothing is learnt from, which were looked at while the ear and its rules were made."""


def lines(path: Path) -> list[str]:
    """The lines of a file of cases; none where there is no such file."""
    return path.read_text("utf-8").splitlines() if path.is_file() else []


TO_VARY = (
    "How do you organize work when a problem touches several teams?",
    (
        "I organized a review with a colleague, he analyzed the behavior of the service and found the cause, and "
        "together we prioritized the fix. I recognized that he knew the labels better, so I asked him to present it."
    ),
)
"""A question and an answer with words that are spelt in two ways, which the bundled interview lacks."""

FIRST_FORMS = {
    "was": "is", "were": "is", "are": "is", "has": "have", "had": "have", "did": "do", "does": "do", "went": "go",
    "got": "get", "made": "make", "took": "take", "told": "tell", "said": "say", "gave": "give", "found": "find",
    "kept": "keep", "came": "come", "wrote": "write", "saw": "see", "asked": "ask", "called": "call",
    "worked": "work", "started": "start", "checked": "check", "moved": "move", "used": "use", "tried": "try",
}  # fmt: skip
"""Verbs as people say them who have not learnt their past."""

Variant = Callable[[str], str]

VARIANTS: dict[str, Variant] = {
    "name": lambda answer: f"My name is Oluwaseun Adeyemi. {answer}",
    "other_name": lambda answer: f"My name is Emily Johnson. {answer}",
    "pronoun": lambda answer: re.sub(r"\bhe\b", "she", re.sub(r"\bhim\b", "her", answer)),
    "spelling": lambda answer: _words(
        answer,
        {
            "organized": "organised",
            "behavior": "behaviour",
            "analyzed": "analysed",
            "prioritized": "prioritised",
            "recognized": "recognised",
        },
    ),
    "accent_spelling": lambda answer: _words(
        answer,
        {"the": "de", "this": "dis", "that": "dat", "they": "dey", "with": "wit", "very": "wery", "three": "tree"},
    ),
    "fillers": lambda answer: re.sub(r"\. ([A-Z])", lambda found: f". Um, {found.group(1)}", f"Uh, {answer}"),
    "hedging": lambda answer: re.sub(r"\bI (?=[a-z]+)", "I think I sort of ", answer),
    "padding": lambda answer: f"That is a good question. {answer} So yes, that is basically how that went.",
}
"""Ways to say the same. Each takes an answer and returns it otherwise worded."""


def to_vary(request: AssessmentRequest) -> AssessmentRequest:
    """The interview with one more question and answer, so that every variant changes something."""
    end, candidate = request.utterances[-1].end, request.candidate or ""
    question, answer = TO_VARY
    added = (Utterance(end, end + 5, "interviewer", question), Utterance(end + 6, end + 30, candidate, answer))
    return replace(request, utterances=(*request.utterances, *added))


def varied(request: AssessmentRequest, variant: Variant) -> AssessmentRequest:
    """The interview with every answer of the candidate said in another way; words get their times anew."""
    return replace(request, utterances=tuple(_varied(u, request.candidate, variant) for u in request.utterances))


PLACES = ("end", "middle", "everywhere", "alone")
"""Where an attack is said: at the end or after the first sentence of the longest answer, after every answer, or as the
answer to a last question, which asks for what is graded."""
LAST_QUESTION = "Is there anything to add about a problem you solved, or a decision with your team in your last role?"
NOTHING_TO_ADD = "No, thank you."


def attacked(request: AssessmentRequest, attack: str, place: str = "end") -> AssessmentRequest:
    """The interview with `attack` said in one of PLACES. Alone, it takes the place of NOTHING_TO_ADD."""
    request = _closed(request)
    if place == "alone":
        return _asked_once_more(request, attack)
    longest = max((u for u in request.utterances if u.speaker == request.candidate), key=lambda u: len(u.text))
    hit = [u for u in request.utterances if u is longest or (place == "everywhere" and u.speaker == request.candidate)]
    return replace(request, utterances=tuple(_with(u, attack, place) if u in hit else u for u in request.utterances))


def not_attacked(request: AssessmentRequest, place: str) -> AssessmentRequest:
    """What an interview with an attack in this place is compared with."""
    request = _closed(request)
    return _asked_once_more(request, NOTHING_TO_ADD) if place == "alone" else request


def _closed(request: AssessmentRequest) -> AssessmentRequest:
    """The interview with a full stop where an answer broke off, so that what is added begins a sentence."""
    broken = [u for u in request.utterances if not u.text.endswith((".", "?", "!"))]
    closed = {id(u): replace(u, text=f"{u.text}.", words=()) for u in broken}
    return replace(request, utterances=tuple(closed.get(id(u), u) for u in request.utterances))


def _asked_once_more(request: AssessmentRequest, answer: str) -> AssessmentRequest:
    end, candidate = request.utterances[-1].end, request.candidate or ""
    added = (Utterance(end, end + 5, "interviewer", LAST_QUESTION), Utterance(end + 6, end + 12, candidate, answer))
    return replace(request, utterances=(*request.utterances, *added))


def _with(utterance: Utterance, attack: str, place: str) -> Utterance:
    first, *rest = re.split(r"(?<=[.?!]) ", utterance.text)
    said = [first, attack, *rest] if place == "middle" else [utterance.text, attack]
    return replace(utterance, text=" ".join(said), words=())


def _varied(utterance: Utterance, candidate: str | None, variant: Variant) -> Utterance:
    if utterance.speaker != candidate:
        return utterance
    return replace(utterance, text=variant(utterance.text), words=())


def no_articles(text: str) -> str:
    """As people speak whose first language has none."""
    return re.sub(r"\b(?:the|an?) ", "", text, flags=re.IGNORECASE)


def simple_grammar(text: str) -> str:
    """The same, with verbs in their first form."""
    return _words(no_articles(text), FIRST_FORMS)


def accented(text: str) -> str:
    """Spelt as an accent sounds, which is how a recogniser may write it."""
    return re.sub(r"\bth(?=[eaio])", "d", re.sub(r"\bv", "w", re.sub(r"th\b", "t", text)))


def unpunctuated(text: str) -> str:
    """As some recognisers write."""
    return re.sub(r"[^\w' ]", "", text).lower()


def _words(text: str, replacements: dict[str, str]) -> str:
    for one, other in replacements.items():
        text = re.sub(rf"\b{one}\b", other, text)
    return text
