"""What the page of a finished interview shows: a result, arranged for a reader. Changes and judges nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve_app.http.pages.judgement import RECOMMENDATIONS
from serve_app.http.pages.ribbon import Ribbon, draw
from serve_app.pipeline.assessment.unassessed import notices
from serve_app.pipeline.sentences import bare

HIGH_CONFIDENCE = 0.75
MEDIUM_CONFIDENCE = 0.5
REASONS = {
    "not_asked": "Not asked: the interview did not come to this.",
    "no_evidence": "No evidence: nothing that the candidate said can carry a score.",
    "candidate_unknown": "It is not certain enough who the candidate is.",
    "negation_in_doubt": "The quote may say the opposite: the recogniser is not sure of a negation in it.",
    "no_speech": "No speech was recognised.",
    "language_unsupported": "The language of the recording is not assessed.",
}
RULES = {
    "advance": "The scored levels average 3.5 or more, none is below 2, and no red flag is severe.",
    "hold": "The scores do not clearly speak for either answer.",
    "reject": "The scored levels average less than 2.5.",
    "insufficient_evidence": "Fewer than half of the competencies could be scored.",
}
"""Why the model recommends what it does."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Evidence: the words, when they were said, and where in the page's transcript they stand."""

    text: str
    start: float
    target: str
    doubtful: tuple[str, ...]
    """Words of it that the recogniser is not sure of."""


@dataclass(frozen=True, slots=True)
class Level:
    """One competency as the scorecard shows it."""

    slug: str
    name: str
    description: str
    anchors: dict[str, str]
    score: int | None
    rationale: str
    reason: str
    quotes: tuple[Quote, ...]
    certainty: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an utterance's text. `mark` is an id that evidence links to; `suspect` marks doubtful words."""

    text: str
    mark: str = ""
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of the transcript."""

    id: str
    start: float
    speaker: str
    name: str
    candidate: bool
    pieces: tuple[Piece, ...]
    original: str
    """What was recognised, where a person has corrected the line."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker's talk metrics."""

    label: str
    name: str
    given_name: str
    """The name that a person gave."""
    candidate: bool
    """Whether they were assessed."""
    share: float | None
    words_per_minute: float | None
    longest_s: float | None
    questions: int | None


@dataclass(frozen=True, slots=True)
class Flag:
    """A red flag and its quotes."""

    text: str
    severity: str
    quotes: tuple[Quote, ...]


class Scorecard:
    """A result, arranged for the page. `result` is the public result of a completed job."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self._result = result
        self.assessment: dict[str, Any] = result["assessment"]
        self._names = names(result)
        self._marks = _Marks(result["transcript"])
        self.levels = [self._level(competency) for competency in result["rubric"]["competencies"]]
        self.flags = [
            Flag(flag["text"], flag["severity"], self._quotes(flag["evidence"]))
            for flag in self.assessment["red_flags"]
        ]
        self.recommendation = RECOMMENDATIONS[self.assessment["recommendation"]]
        self.rule = RULES[self.assessment["recommendation"]]
        self.warnings: Sequence[str] = [*notices(result), *result.get("input", {}).get("warnings", ())]

    @property
    def candidate(self) -> str:
        """Who is assessed, and how certain that is, in a sentence."""
        found = self._result.get("candidate")
        if found is None or notices(self._result):  # none in a result from before the release that says so
            return ""
        if found["speaker"] is None:
            return (
                f"Nobody was assessed: it is not certain enough who the candidate is ({found['confidence']:.0%}; "
                f"{found['min_confidence']:.0%} are needed). Say who it is in the table of speakers, and assess again."
            )
        who = self._name(found["speaker"])
        stated = found["source"] == "caller"
        return f"Assessed: {who}, " + ("as stated." if stated else f"{found['confidence']:.0%} certain from the words.")

    @property
    def measured(self) -> str:
        """How far the model that scores agrees with people, in a sentence. Empty where that was not measured."""
        fitness = self.assessment.get("fitness") or {}
        if fitness.get("spearman") is None:
            return ""
        return (
            f"On {fitness['answers']} answers of {fitness['authors']} authors that it had not learnt from, its scores "
            f"correlate with the right level at {fitness['spearman']:.2f} (1 is perfect, 0 is chance)."
        )

    @property
    def lines(self) -> Iterator[Line]:
        """The transcript, with the words that evidence and flags rest on marked."""
        for number, row in enumerate(self._result["transcript"]):
            label, original = row["speaker"], row.get("original")
            yield Line(
                id=f"u-{number}",
                start=row["start"],
                speaker=label,
                name=self._name(label),
                candidate=self._role(label) == "candidate",
                pieces=self._marks.pieces(number),
                original=f"{self._name(original['speaker'])}: {original['text']}" if original else "",
            )

    @property
    def speakers(self) -> list[Speaker]:
        """Talk metrics by speaker, the most talkative first."""
        metrics = self._result["metrics"]
        shares: dict[str, float] = metrics["talk_ratio"]
        by_share = sorted(shares, key=lambda label: -shares[label])
        return [
            Speaker(
                label,
                self._name(label),
                self._result["speakers"].get(label, {}).get("name") or "",
                (self._result.get("candidate") or {}).get("speaker") == label,
                shares[label],
                metrics["words_per_minute"].get(label),
                metrics["longest_monologue_s"].get(label),
                metrics["questions_asked"].get(label),
            )
            for label in by_share
        ]

    @property
    def ribbon(self) -> Ribbon:
        """The picture of the conversation."""
        quotes = [quote for level in self.levels for quote in level.quotes]
        return draw(self._result, self._names, [(quote.start, quote.text, quote.target) for quote in quotes])

    def _level(self, competency: Mapping[str, Any]) -> Level:
        score = self.assessment["scores"][competency["slug"]]
        return Level(
            slug=competency["slug"],
            name=competency["name"],
            description=competency["description"],
            anchors=dict(sorted(competency["anchors"].items())),
            score=score["score"],
            rationale=score["rationale"],
            reason=REASONS.get(score["reason"] or "", ""),
            quotes=self._quotes(score["evidence"]),
            certainty=_certainty(score),
        )

    def _quotes(self, evidence: Sequence[Mapping[str, Any]]) -> tuple[Quote, ...]:
        return tuple(
            Quote(
                one["quote"],
                one["start"],
                self._marks.target(one),
                tuple(bare(word["text"]) for word in one.get("doubtful", ())),
            )
            for one in evidence
        )

    def _role(self, label: str) -> str:
        return str(self._result["speakers"].get(label, {}).get("role", ""))

    def _name(self, label: str) -> str:
        return self._names.get(label, label)


def names(result: Mapping[str, Any]) -> dict[str, str]:
    """Names of the speakers: those that a person gave, else their role; with their label where two have the same."""
    shown = {label: guess.get("name") or guess["role"].capitalize() for label, guess in result["speakers"].items()}
    shared = {name for name in shown.values() if list(shown.values()).count(name) > 1}
    return {label: f"{name} ({label})" if name in shared else name for label, name in shown.items()}


def _certainty(score: Mapping[str, Any]) -> str:
    """Confidence and stability in words."""
    if score["score"] is None or score["confidence"] is None:
        return ""
    confidence = score["confidence"]
    word = "high" if confidence >= HIGH_CONFIDENCE else "medium" if confidence >= MEDIUM_CONFIDENCE else "low"
    return f"Model confidence {word}" + (
        "" if score["stable"] else ", and it changes when the question is put otherwise"
    )


class _Marks:
    """Spans of the transcript that evidence rests on. Each has an id, and a quote that is used twice has one."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._spans: dict[int, dict[tuple[int, int], str]] = {}

    def target(self, evidence: Mapping[str, Any]) -> str:
        """Id of the marked words of a quote, or of the utterance nearest to its time when they are not found in one."""
        if not self._rows:
            return "transcript"
        overlapping = [
            number
            for number, row in enumerate(self._rows)
            if row["speaker"] == evidence["speaker"]
            and row["start"] <= evidence["end"]
            and evidence["start"] <= row["end"]
        ]
        for number in overlapping:
            at = self._rows[number]["text"].find(evidence["quote"])
            if at >= 0 and (mark := self._mark(number, at, at + len(evidence["quote"]))):
                return mark
        nearest = min(range(len(self._rows)), key=lambda number: abs(self._rows[number]["start"] - evidence["start"]))
        return f"u-{overlapping[0] if overlapping else nearest}"

    def pieces(self, number: int) -> tuple[Piece, ...]:
        """The text of an utterance, cut at its marks and at its doubtful words."""
        text = self._rows[number]["text"]
        spans = {span: Piece(text[slice(*span)], mark=mark) for span, mark in self._spans.get(number, {}).items()}
        for doubtful in self._rows[number].get("suspect", ()):
            at = text.find(doubtful["text"])
            span = (at, at + len(doubtful["text"]))
            if at >= 0 and not any(_overlap(span, other) for other in spans):
                spans[span] = Piece(doubtful["text"], suspect=True)
        pieces, done = [], 0
        for start, end in sorted(spans):
            pieces += [Piece(text[done:start]), spans[start, end]]
            done = end
        return tuple(piece for piece in (*pieces, Piece(text[done:])) if piece.text)

    def _mark(self, number: int, start: int, end: int) -> str | None:
        """The id of a span, or None when it overlaps another one in part."""
        spans = self._spans.setdefault(number, {})
        if (start, end) not in spans:
            if any(_overlap((start, end), other) for other in spans):
                return None
            spans[start, end] = f"q-{number}-{start}"
        return spans[start, end]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
