"""The scorecard of a finished job as plain data, made from its public result. Every export writes this.

All texts are single lines without control characters. They come from the recording, the model and the caller: writers
must never read them as markup. Results of older versions may lack fields.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from serve_app.pipeline import exports
from serve_app.pipeline.assessment.unassessed import notices
from serve_app.pipeline.sentences import bare

NOTICE = "A person decides about the candidate. This scorecard shows what the decision can rest on."
HIDDEN = "[name]"
SUSPECT_NOTE = "Words in [?…] were probably invented by the recogniser."
REASONS = {
    "not_asked": "not asked",
    "no_evidence": "asked, but no evidence",
    "candidate_unknown": "candidate not certain",
    "negation_in_doubt": "negation in doubt",
    "no_speech": "no speech was recognised",
    "language_unsupported": "language not assessed",
}
REMOVED = ("Cc", "Cs", "Cn")
"""Unicode categories that documents cannot hold or show: control characters, surrogates, unassigned code points."""
DIRECTION_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that would show the text after them in another order than it is written."""


class Section(StrEnum):
    """Parts of a scorecard, in their order."""

    SUMMARY = "summary"
    SCORES = "scores"
    HIGHLIGHTS = "highlights"
    RED_FLAGS = "red_flags"
    QUESTIONS = "questions"
    SUBMITTAL_NOTE = "submittal_note"
    REVIEWS = "reviews"
    METRICS = "metrics"
    TRANSCRIPT = "transcript"


DEFAULT_SECTIONS = tuple(section for section in Section if section is not Section.TRANSCRIPT)


@dataclass(frozen=True, slots=True)
class Heading:
    """What a scorecard says about its job."""

    job_id: str
    role_title: str
    created_at: datetime
    candidate: str = ""
    """The candidate's name, where the caller gave it."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the transcript that a score or a flag rests on."""

    start: float
    at: str
    """`start` as a clock, e.g. 1:02:03."""
    speaker: str
    text: str
    unsure: list[str]
    """Words of it that the recogniser is not sure of."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a competency, 1 to 5, or the reason in words why there is none."""

    competency: str
    name: str
    score: int | None
    reason: str | None
    rationale: str
    confidence: float | None
    stable: bool
    evidence: list[Quote]


@dataclass(frozen=True, slots=True)
class Flag:
    """A warning, and the words it rests on."""

    severity: str
    text: str
    evidence: list[Quote]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker's part and talk metrics."""

    speaker: str
    role: str | None
    talk_ratio: float | None
    words_per_minute: float | None
    longest_monologue_s: float | None
    questions_asked: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance. Words that were probably invented are in `[?…]`."""

    start: float
    at: str
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A scorecard. A section that was not asked for is None."""

    job_id: str
    role_title: str
    candidate: str | None
    """The candidate's name. Null where it is hidden or unknown."""
    label: str | None
    created_at: datetime
    duration: str
    notice: str
    """That a person decides."""
    model: str
    rubric_version: str
    prompt_version: str
    remarks: list[str]
    """What limits the scorecard: no speech, a candidate who is not certain, parts that could not be read."""
    sections: list[Section]
    recommendation: str | None
    summary: str | None
    scores: list[Score] | None
    highlights: list[str] | None
    red_flags: list[Flag] | None
    questions: list[str] | None
    submittal_note: str | None
    reviews: list[str] | None
    """People's reviews, a line each."""
    speakers: list[Speaker] | None
    interruptions: int | None
    transcript: list[Turn] | None


Clean = Callable[[Any], str]


def make_scorecard(
    result: Mapping[str, Any], heading: Heading, sections: Iterable[Section] = DEFAULT_SECTIONS, *,
    hide_name: bool = False,
) -> Scorecard:  # fmt: skip
    """Return the scorecard of a public result, with these sections.

    With `hide_name` the candidate's name and the job's label are left out, and their capitalised words are replaced
    wherever the texts have them.
    """
    candidate = heading.candidate or _name_of_candidate(result)
    clean = _name_hider(f"{candidate} {heading.label}", heading.role_title) if hide_name else one_line
    wanted = set(sections)
    assessment = result["assessment"]
    parts: dict[str, Any] = {
        Section.SUMMARY: clean(assessment["summary"]),
        Section.SCORES: _scores(result, clean),
        Section.HIGHLIGHTS: [clean(text) for text in assessment["highlights"]],
        Section.RED_FLAGS: [_flag(flag, clean) for flag in assessment["red_flags"]],
        Section.QUESTIONS: [clean(text) for text in assessment["questions_for_next_round"]],
        Section.SUBMITTAL_NOTE: clean(assessment["submittal_note"]),
        Section.REVIEWS: [clean(_review(review)) for review in result.get("reviews", ())],
        Section.TRANSCRIPT: _turns(result, clean) if Section.TRANSCRIPT in wanted else None,
    }
    return Scorecard(
        job_id=heading.job_id,
        role_title=one_line(heading.role_title),
        candidate=None if hide_name else one_line(candidate) or None,
        label=None if hide_name else one_line(heading.label) or None,
        created_at=heading.created_at,
        duration=exports.clock(result["duration_s"]),
        notice=NOTICE,
        model=one_line(assessment.get("model", "unknown")),
        rubric_version=one_line(assessment.get("rubric_version", "unknown")),
        prompt_version=one_line(assessment.get("prompt_version", "unknown")),
        remarks=[clean(remark) for remark in _remarks(result, wanted)],
        sections=[section for section in Section if section in wanted],
        recommendation=assessment["recommendation"] if Section.SUMMARY in wanted else None,
        speakers=_speakers(result, clean) if Section.METRICS in wanted else None,
        interruptions=result["metrics"]["interruptions"] if Section.METRICS in wanted else None,
        **{name.value: part if name in wanted else None for name, part in parts.items()},  # type: ignore[attr-defined]
    )


def one_line(text: Any) -> str:
    """The text on one line, without control characters and changes of direction."""
    kept = DIRECTION_OVERRIDES.sub("", " ".join(str(text).split()))
    return "".join(letter for letter in kept if unicodedata.category(letter) not in REMOVED)


def words(code: str) -> str:
    """A code as words: `insufficient_evidence` becomes `insufficient evidence`."""
    return code.replace("_", " ")


def _name_of_candidate(result: Mapping[str, Any]) -> str:
    speaker = (result.get("candidate") or {}).get("speaker")
    return result.get("speakers", {}).get(speaker, {}).get("name") or ""


def _name_hider(told: str, role_title: str) -> Clean:
    """Cleans texts and replaces the capitalised words of `told` that the role's title does not have."""
    role = set(re.findall(r"\w+", role_title.lower()))
    names = {word for word in re.findall(r"\w{2,}", told) if word[0].isupper() and word.lower() not in role}
    if not names:
        return one_line
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b", re.IGNORECASE)
    return lambda text: pattern.sub(HIDDEN, one_line(text))


def _quotes(evidence: Iterable[Mapping[str, Any]], clean: Clean) -> list[Quote]:
    return [
        Quote(
            start=one["start"],
            at=exports.clock(one["start"]),
            speaker=clean(one["speaker"]),
            text=clean(one["quote"]),
            unsure=[clean(bare(word["text"])) for word in one.get("doubtful", ())],
        )
        for one in evidence
    ]


def _scores(result: Mapping[str, Any], clean: Clean) -> list[Score]:
    rubric = result.get("rubric", {}).get("competencies", ())
    names = {competency["slug"]: competency["name"] for competency in rubric}
    return [
        Score(
            competency=clean(slug),
            name=clean(names.get(slug) or words(slug).capitalize()),
            score=score["score"],
            reason=REASONS.get(score.get("reason"), score.get("reason")),
            rationale=clean(score["rationale"]),
            confidence=score.get("confidence"),
            stable=score.get("stable", True),
            evidence=_quotes(score.get("evidence", ()), clean),
        )
        for slug, score in result["assessment"]["scores"].items()
    ]


def _flag(flag: Mapping[str, Any], clean: Clean) -> Flag:
    return Flag(flag["severity"], clean(flag["text"]), _quotes(flag.get("evidence", ()), clean))


def _speakers(result: Mapping[str, Any], clean: Clean) -> list[Speaker]:
    metrics = result["metrics"]
    return [
        Speaker(
            speaker=clean(_speaker(result, label)),
            role=result.get("speakers", {}).get(label, {}).get("role"),
            talk_ratio=ratio,
            words_per_minute=metrics.get("words_per_minute", {}).get(label),
            longest_monologue_s=metrics.get("longest_monologue_s", {}).get(label),
            questions_asked=metrics.get("questions_asked", {}).get(label),
        )
        for label, ratio in metrics["talk_ratio"].items()
    ]


def _speaker(result: Mapping[str, Any], label: str) -> str:
    """The speaker's label, with the name that a person gave."""
    name = result.get("speakers", {}).get(label, {}).get("name")
    return f"{name} ({label})" if name else label


def _turns(result: Mapping[str, Any], clean: Clean) -> list[Turn]:
    return [
        Turn(
            start=utterance.start,
            at=exports.clock(utterance.start),
            speaker=clean(_speaker(result, utterance.speaker)),
            text=clean(exports.marked_text(utterance)),
        )
        for utterance in exports.from_rows(result["transcript"])
    ]


def _review(review: Mapping[str, Any]) -> str:
    """A person's review in a line, beside the model's values."""
    told = [f"{review['reviewer']}, {review['updated_at'][:10]}"]
    if review["recommendation"]:
        told.append(f"{words(review['recommendation'])} (model: {words(review['model_recommendation'])})")
    for slug, score in review["scores"].items():
        mine, model = (one if one is not None else "no score" for one in (score["score"], score["model_score"]))
        told.append(f"{words(slug)} {mine} (model: {model})" + (f": {score['reason']}" if score["reason"] else ""))
    return "; ".join([*told, *([review["note"]] if review["note"] else [])])


def _remarks(result: Mapping[str, Any], wanted: set[Section]) -> Sequence[str]:
    remarks = list(notices(result))
    if result.get("no_speech"):
        remarks.append("No speech was recognised in the recording.")
    candidate = None if remarks else result.get("candidate")
    if candidate and candidate["speaker"] is None:
        remarks.append("It is not certain which speaker is the candidate. Nothing was scored.")
    elif candidate and candidate["speaker"] and candidate["source"] == "guess":
        remarks.append(f"{candidate['speaker']} is taken for the candidate, {candidate['confidence']:.0%} sure.")
    read = result.get("input", {})
    remarks += read.get("warnings", ())
    remarks += [
        f"Track {one['track']} was left out: {one['reason']}." for one in read.get("tracks", ()) if not one["used"]
    ]
    if Section.TRANSCRIPT in wanted and any(row.get("suspect") for row in result["transcript"]):
        remarks.append(SUSPECT_NOTE)
    return remarks
