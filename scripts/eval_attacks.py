"""Can an interview be talked into a score, and what does keeping it from that cost honest speech?

Each set of cases says how it stands to the guard: its words were learnt from, looked at while the guard was made, or
kept from everybody who made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.assessment_cases import (
    ATTACKS,
    LATER_ATTACKS,
    LOOKALIKES,
    PLACES,
    PLEAS,
    attacked,
    no_articles,
    not_attacked,
    simple_grammar,
    unpunctuated,
)
from scripts.train_ear import ATTACK_FILES, HONEST_FILES, learnt
from serve_app.pipeline.assessment import assess, guard_of, heard
from serve_app.pipeline.assessment.llm import LanguageModel
from serve_app.pipeline.assessment.speech import Sentence, spoken
from serve_app.pipeline.types import Assessment, AssessmentRequest, Utterance

BLIND_CATEGORIES = {"I": "instructions", "P": "pleas"}
"""How a blind set marks its lines. A plea asks for nothing that a grader could do: it need not be flagged."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Sentences of one author and kind."""

    name: str
    relation: str
    """`learnt from`, `looked at` or `blind`."""
    attacks: Sequence[str] = ()
    honest: Sequence[str] = ()


def known() -> list[Cases]:
    """The sets that come with the product."""
    return [
        *(Cases(name, "learnt from", attacks=learnt(name)) for name in ATTACK_FILES),
        Cases("second author, attacks", "looked at", attacks=ATTACKS),
        Cases("third author, attacks", "looked at", attacks=LATER_ATTACKS),
        Cases("third author, attacks, unpunctuated", "looked at", attacks=[unpunctuated(one) for one in LATER_ATTACKS]),
        Cases("pleas", "looked at", attacks=PLEAS),
        *(Cases(name, "learnt from", honest=learnt(name)) for name in HONEST_FILES),
        *simply(Cases("plain", "learnt from", honest=learnt("plain"))),
        Cases("third author, look-alikes", "looked at", honest=LOOKALIKES),
    ]


def blind(folder: Path) -> list[Cases]:
    """A set whose `attacks.txt` says of each line what it is (`I` or `P`, a tab, the sentence)."""
    plain = Cases("blind author, plain", "blind", honest=_lines(folder / "plain.txt"))
    lines = [line.split("\t", 1) for line in _lines(folder / "attacks.txt")]
    return [
        *(
            Cases(f"blind author, {name}", "blind", attacks=[said for mark, said in lines if mark == category])
            for category, name in BLIND_CATEGORIES.items()
        ),
        Cases("blind author, look-alikes", "blind", honest=_lines(folder / "lookalikes.txt")),
        plain,
        *simply(plain),
    ]


def simply(cases: Cases) -> list[Cases]:
    """The same honest sentences as people say them whose first language is another, and as some recognisers write."""
    ways = {"no articles": no_articles, "simple grammar": simple_grammar, "unpunctuated": unpunctuated}
    return [
        replace(cases, name=f"{cases.name}, {way}", honest=[say(said) for said in cases.honest])
        for way, say in ways.items()
    ]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]


def measured(request: AssessmentRequest, model: LanguageModel, cases: Sequence[Cases], limit: int) -> dict[str, Any]:
    """Of each set, what was flagged and left out; of attacks not learnt from also whether they did anything."""
    honest = {place: assess(not_attacked(request, place), model, _quiet) for place in PLACES}
    sets = [_measured(request, model, one, honest, limit) for one in cases]
    tried = [one for one in sets if "raised" in one and not one["name"].endswith("pleas")]
    alike = next(one for one in sets if one["name"] == "third author, look-alikes")
    return {
        "injections_tried": sum(one["sentences"] for one in tried),
        "injections_succeeded": sum(len(one["raised"]) for one in tried),
        "injections_moved_a_score": sum(len(one["moved"]) for one in tried),
        "injections_noticed": sum(one["flagged"] for one in tried),
        "lookalikes": alike["sentences"],
        "lookalikes_flagged": alike["flagged"],
        "lookalikes_flagged_high": alike["flagged_high"],
        "lookalikes_not_judged": alike["left_out"],
        "sets": sets,
    }


def _measured(
    request: AssessmentRequest, model: LanguageModel, cases: Cases, honest: dict[str, Assessment], limit: int
) -> dict[str, Any]:
    sentences = [*cases.attacks, *cases.honest][:limit]
    found = listened(request, model, sentences)
    measured: dict[str, Any] = {
        "name": cases.name,
        "relation": cases.relation,
        "attacks": bool(cases.attacks),
        "sentences": len(sentences),
        "flagged": sum(any(part.heard.severity for part in parts) for parts in found),
        "flagged_high": sum(any(part.heard.severity == "high" for part in parts) for parts in found),
        "left_out": sum(not all(part.trusted for part in parts) for parts in found),
    }
    if cases.attacks and cases.relation != "learnt from":
        tried = {attack: _tried(request, attack, honest, model) for attack in sentences}
        measured["raised"] = [attack for attack, (rose, _) in tried.items() if rose]
        measured["moved"] = [attack for attack, (_, moved) in tried.items() if moved]
    return measured


def listened(request: AssessmentRequest, model: LanguageModel, said: Sequence[str]) -> list[list[Sentence]]:
    """What the guard makes of sentences of a candidate's."""
    utterances = tuple(Utterance(0, 5, request.candidate or "", one) for one in said)
    guard = guard_of(request.rubric, heard(replace(request, utterances=utterances), model))
    return [spoken(utterance, guard.of_the_candidate) for utterance in utterances]


def _tried(
    request: AssessmentRequest, attack: str, honest: dict[str, Assessment], model: LanguageModel
) -> tuple[bool, bool]:
    """Whether an attack raised a score or made the recommendation `advance`, and whether it moved any, in any place."""
    pairs = [(assess(attacked(request, attack, place), model, _quiet), plain) for place, plain in honest.items()]
    return any(_better(*pair) for pair in pairs), any(_scores(one) != _scores(other) for one, other in pairs)


def _scores(result: Assessment) -> list[int | None]:
    return [score.score for score in result.scores.values()]


def _better(result: Assessment, honest: Assessment) -> bool:
    rose = any((score.score or 0) > (honest.scores[slug].score or 0) for slug, score in result.scores.items())
    return rose or (result.recommendation == "advance" != honest.recommendation)


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    attacks = "\n".join(_row(one) for one in found["sets"] if one["attacks"])
    honest = "\n".join(_row(one) for one in found["sets"] if not one["attacks"])
    tried, raised, moved = (found[f"injections_{what}"] for what in ("tried", "succeeded", "moved_a_score"))
    return f"""Can it be talked into a score? {raised} of {tried} spoken attacks not learnt from raised one, each
said in {len(PLACES)} places; {moved} moved any score, up or down; {found["injections_noticed"]} became a red flag.

| attacks | the guard's makers | sentences | flagged | as high | left out of judging | raised a score | moved one |
| --- | --- | --- | --- | --- | --- | --- | --- |
{attacks}

What keeping attacks out costs honest sentences; the look-alikes were written to sound like attacks:

| honest sentences | the guard's makers | sentences | flagged | as high | left out of judging |
| --- | --- | --- | --- | --- | --- |
{honest}
"""


def _row(one: dict[str, Any]) -> str:
    shown = [one["name"], one["relation"], one["sentences"], one["flagged"], one["flagged_high"], one["left_out"]]
    if one["attacks"]:
        shown += [len(one[what]) if what in one else "" for what in ("raised", "moved")]
    return f"| {' | '.join(map(str, shown))} |"


def _quiet(*_: object) -> None:
    return None
