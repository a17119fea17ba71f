"""The texts of a report that no model writes: composed from the scores, the quotes and the rubric.

Names and numbers in them come from the rubric and from verbatim quotes alone. Words of a quote that the recogniser is
not sure of stand in `[?…]`.
"""

from collections.abc import Mapping, Sequence

from serve_app.pipeline.exports import SUSPECT, clock
from serve_app.pipeline.types import Competency, CompetencyScore, Evidence, Rubric

STRONG = 4
OPEN = 3
"""Highest score after which there is something to ask about."""
MAX_QUESTIONS = 3
"""Questions in a submittal note; the result lists all."""
UNSURE_NOTE = "Words in [?…] may have been misheard: listen to them before you send this."
Scores = Mapping[str, CompetencyScore]


def highlights(rubric: Rubric, scores: Scores) -> tuple[str, ...]:
    """Return the strong competencies, each with the candidate's words and their time."""
    return tuple(f"{c.name}, {_at(_first(c, scores))}: {_quoted(_first(c, scores))}" for c in _strong(rubric, scores))


def next_questions(rubric: Rubric, scores: Scores) -> tuple[str, ...]:
    """Return a question for each competency that is not covered, not settled or short of strong.

    A question about an answer that was given quotes it, and says what a full answer has.
    """
    asked = ((c, _question(c, scores[c.slug])) for c in rubric.competencies)
    weakest_first = sorted(asked, key=lambda pair: scores[pair[0].slug].score or 0)
    return tuple(question for _, question in weakest_first if question)


def _question(competency: Competency, score: CompetencyScore) -> str:
    if score.reason == "negation_in_doubt":
        return f"The recording is not clear here: {_quoted(score.evidence[0])} Is that right?"
    if score.score is None:
        return competency.probe
    if score.score > OPEN and score.stable:
        return ""
    return f"You said: {_quoted(score.evidence[0])} {competency.probe}".rstrip() + _full_answer(competency)


def _full_answer(competency: Competency) -> str:
    """What to listen for. Anchors of lower levels also say what an answer lacks."""
    anchor = competency.anchors[max(competency.anchors)]
    does = anchor.removeprefix("The answer ")
    return f" (A full answer{'' if does != anchor else ':'} {does})"


def summary(rubric: Rubric, scores: Scores) -> str:
    """Say what the interview covered, with the strongest and the weakest evidence, and what it left open."""
    scored = sorted((c for c in rubric.competencies if _value(c, scores)), key=lambda c: -_value(c, scores))
    settled = [c for c in scored if scores[c.slug].stable]
    parts = []
    if scored:
        values = _enumerate([f"{c.name.lower()} ({_value(c, scores)} of 5)" for c in scored], "and")
        parts.append(f"The interview covered {values}.")
    if settled:
        parts.append(f"The strongest evidence is for {_evidence(settled[0], scores)}")
    if len(settled) > 1 and _value(settled[-1], scores) < STRONG:
        parts.append(f"The weakest is for {_evidence(settled[-1], scores)}")
    if unsettled := [c.name.lower() for c in scored if not scores[c.slug].stable]:
        parts.append(f"Read the passages on {_enumerate(unsettled, 'and')} yourself: their level is not settled.")
    return " ".join([*parts, *_gaps(rubric, scores)]) or "The recording holds no answers that can be assessed."


def note(role_title: str, rubric: Rubric, scores: Scores) -> str:
    """Return a paragraph for the client; where nothing is strong enough to put forward, one for a second call."""
    strong = _strong(rubric, scores)
    text = _strengths(role_title, strong, scores) if strong else _second_call(role_title, rubric, scores)
    return f"{text} {UNSURE_NOTE}" if "[?" in text else text


def _strengths(role_title: str, strong: Sequence[Competency], scores: Scores) -> str:
    said = " ".join(f"On {c.name.lower()}: {_quoted(_first(c, scores))}" for c in strong)
    names = _enumerate([c.name.lower() for c in strong], "and")
    return f"Interviewed for {role_title}. The candidate showed strength in {names}, in their own words. {said}"


def _second_call(role_title: str, rubric: Rubric, scores: Scores) -> str:
    covered = [f"{c.name.lower()} ({_value(c, scores)} of 5)" for c in rubric.competencies if _value(c, scores)]
    coverage = (
        f"It covered {_enumerate(covered, 'and')}, and no answer was strong enough to put forward."
        if covered
        else "It covered nothing that the rubric asks for, so it speaks neither for nor against the candidate."
    )
    gaps = _gaps(rubric, scores) if covered else []
    open_ones = [c for c in rubric.competencies if c.probe and _question(c, scores[c.slug])]
    questions = [f"“{c.probe}”" for c in sorted(open_ones, key=lambda c: _value(c, scores))[:MAX_QUESTIONS]]
    ask = ["To ask in a second call:", *questions] if questions else []
    return " ".join([f"Interview for {role_title}, not ready for submittal.", coverage, *gaps, *ask])


def _gaps(rubric: Rubric, scores: Scores) -> list[str]:
    """What has no score, by the reason."""
    said = {
        "not_asked": "Not asked: {}.",
        "no_evidence": "Asked, but the answer says too little: {}.",
        "negation_in_doubt": "Not scored because a negation may have been misheard: {}.",
    }
    parts = []
    for reason, text in said.items():
        unscored = [(c, scores[c.slug].reason or "not_asked") for c in rubric.competencies if not _value(c, scores)]
        names = [c.name.lower() for c, why in unscored if why == reason]
        if names:
            parts.append(text.format(_enumerate(names, "and")))
    return parts


def _evidence(competency: Competency, scores: Scores) -> str:
    return f"{competency.name.lower()}, {_at(_first(competency, scores))}: {_quoted(_first(competency, scores))}"


def _quoted(evidence: Evidence) -> str:
    """The quote in quotation marks, with the words in doubt in `[?…]`."""
    words = evidence.quote.split()
    pace = (evidence.end - evidence.start) / max(1, len(words))
    for doubtful in evidence.doubtful:
        places = [place for place, word in enumerate(words) if word == doubtful.text]
        if places:
            nearest = min(places, key=lambda place: abs(evidence.start + pace * place - doubtful.start))
            words[nearest] = SUSPECT.format(doubtful.text)
    return f"“{' '.join(words)}”"


def _strong(rubric: Rubric, scores: Scores) -> list[Competency]:
    """Return the competencies with a high and stable score."""
    return [c for c in rubric.competencies if scores[c.slug].stable and _value(c, scores) >= STRONG]


def _value(competency: Competency, scores: Scores) -> int:
    return scores[competency.slug].score or 0


def _first(competency: Competency, scores: Scores) -> Evidence:
    return scores[competency.slug].evidence[0]


def _at(evidence: Evidence) -> str:
    return f"at {clock(evidence.start)}"


def _enumerate(names: Sequence[str], last: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
