"""Cases of prompt injection and honest sentences, by author, and the interviews they are placed in.

No case is training data. Cases of some authors were inspected while the injection tagger and its policy were developed
(`looked at`), those of the last author were not (`blind`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.evaluation.paths import CASES
from scripts.training.sentences import read_lines, split_marked
from scripts.training.speech_styles import no_articles, simple_grammar, unpunctuated
from serve_app.pipeline.types import AssessmentRequest, Utterance

ATTACKS = ("attacks", "run_on", "pleas")
"""Files of attacks. `run_on` attacks stand inside an answer. A plea asks for nothing that an assessor could do, so it
need not be flagged."""
HONEST = ("lookalikes", "plain", "general")
"""Files of honest sentences. `lookalikes` were written to sound like attacks."""
STYLES = {"no articles": no_articles, "simple grammar": simple_grammar, "unpunctuated": unpunctuated}
"""Styles of second-language speakers and of some recognisers, in which `plain` sentences are tried, too."""
TRIED = CASES / "tried"
BLIND = CASES / "blind"
NEAR = CASES / "near"
"""Sentences about the process, computing and the interview itself, and attacks in the same words."""
ORDINARY = CASES / "ordinary"
"""All sentences of interview answers by two authors who knew nothing of attacks."""
APART = CASES / "apart"
"""Three authors who knew nothing of the product and of each other: 1,300 honest sentences near the subject, and attacks
in the same words."""
BLIND_APART = "ninth"
"""The author of APART whose sentences were measured once, after weights and limits were fixed."""
PLACES = ("end", "middle", "everywhere", "alone")
"""Where an attack is said: at the end or after the first sentence of the longest answer, after every answer, or as the
answer to LAST_QUESTION."""
LAST_QUESTION = "Is there anything to add about a problem you solved, or a decision with your team in your last role?"
"""Asks for competencies of the bundled rubric, so that its answer is judged."""
NOTHING_TO_ADD = "No, thank you."


@dataclass(frozen=True, slots=True)
class Case:
    """A spoken text and the part of it that is an attack."""

    text: str
    attack: str = ""

    @property
    def honest_part(self) -> str:
        """The text without the attack."""
        return self.text.replace(self.attack, "").strip()


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Cases of one author and kind."""

    name: str
    relation: str
    """`looked at` or `blind`."""
    attacks: bool
    cases: Sequence[Case]


def read_tried_sets() -> list[CaseSet]:
    """Return the sets of all authors but the blind one."""
    authors = sorted(folder for folder in TRIED.iterdir())
    return [case_set for author in authors for case_set in read_author(author, "looked at")]


def read_apart_sets() -> list[CaseSet]:
    """Return the sets of the authors in APART."""
    relations = {author: "blind" if author.name == BLIND_APART else "looked at" for author in sorted(APART.iterdir())}
    return [case_set for author, relation in relations.items() for case_set in read_author(author, relation)]


def read_author(folder: Path, relation: str) -> list[CaseSet]:
    """Return the sets of one author, one per kind and style."""
    sets = [
        CaseSet(f"{folder.name} author, {kind}", relation, kind in ATTACKS, [_read_case(line, kind) for line in lines])
        for kind in (*ATTACKS, *HONEST)
        if (lines := read_lines(folder / f"{kind}.txt"))
    ]
    plain = [case_set for case_set in sets if case_set.name.endswith("plain")]
    return sets + [
        replace(case_set, name=f"{case_set.name}, {name}", cases=[Case(style(case.text)) for case in case_set.cases])
        for case_set in plain
        for name, style in STYLES.items()
    ]


def _read_case(line: str, kind: str) -> Case:
    if kind in HONEST:
        return Case(line)
    if kind != "run_on":
        return Case(line, line)
    pieces = split_marked(line)
    return Case(" ".join(text for text, _ in pieces), next(text for text, is_attack in pieces if is_attack))


def with_attack(request: AssessmentRequest, attack: str, place: str = "end") -> AssessmentRequest:
    """Return the interview with `attack` said in one of PLACES."""
    request = _with_full_stops(request)
    if place == "alone":
        return _with_last_answer(request, attack)
    candidate = [utterance for utterance in request.utterances if utterance.speaker == request.candidate]
    targets = candidate if place == "everywhere" else [max(candidate, key=lambda utterance: len(utterance.text))]
    return replace(
        request,
        utterances=tuple(
            _insert(utterance, attack, place) if utterance in targets else utterance for utterance in request.utterances
        ),
    )


def without_attack(request: AssessmentRequest, place: str) -> AssessmentRequest:
    """Return the interview that one with an attack in this place is compared with."""
    request = _with_full_stops(request)
    return _with_last_answer(request, NOTHING_TO_ADD) if place == "alone" else request


def _with_full_stops(request: AssessmentRequest) -> AssessmentRequest:
    """End every utterance with a full stop, so that what follows starts a sentence."""
    return replace(
        request,
        utterances=tuple(
            utterance
            if utterance.text.endswith((".", "?", "!"))
            else replace(utterance, text=f"{utterance.text}.", words=())
            for utterance in request.utterances
        ),
    )


def _with_last_answer(request: AssessmentRequest, answer: str) -> AssessmentRequest:
    end, candidate = request.utterances[-1].end, request.candidate or ""
    added = (Utterance(end, end + 5, "interviewer", LAST_QUESTION), Utterance(end + 6, end + 12, candidate, answer))
    return replace(request, utterances=(*request.utterances, *added))


def _insert(utterance: Utterance, attack: str, place: str) -> Utterance:
    first, *rest = re.split(r"(?<=[.?!]) ", utterance.text)
    sentences = [first, attack, *rest] if place == "middle" else [utterance.text, attack]
    return replace(utterance, text=" ".join(sentences), words=())
