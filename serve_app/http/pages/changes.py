"""What a further assessment changed against the one it began with, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serve_app.http.pages.judgement import RECOMMENDATIONS
from serve_app.http.pages.scorecard import names
from serve_app.jobs.models import Job


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A competency's score before and after, in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What was changed, line numbers of the corrected lines, and what came of it. `before` is the earlier job's id."""

    before: str
    made: list[str]
    lines: list[int]
    recommendation: tuple[str, str]
    scores: list[ScoreChange]
    unchanged: int
    """Competencies whose score stayed."""


def between(before: Job, after: Job) -> Changes | None:
    """The changes between two assessments of a recording. None where the earlier one is erased."""
    old, new = before.result, after.result
    if old is None or new is None:
        return None
    scores = list(_scores(old, new))
    changed = [one for one in scores if one.before != one.after]
    recommended = [RECOMMENDATIONS[result["assessment"]["recommendation"]] for result in (old, new)]
    return Changes(
        before=before.id,
        made=[*_inputs(before, after), *_speakers(old, new)],
        lines=[
            number
            for number, (was, now) in enumerate(zip(old["transcript"], new["transcript"], strict=False))
            if (was["text"], was["speaker"]) != (now["text"], now["speaker"])
        ],
        recommendation=(recommended[0], recommended[1]),
        scores=changed,
        unchanged=len(scores) - len(changed),
    )


def _inputs(before: Job, after: Job) -> Iterator[str]:
    was, now = (job.inputs.get("role_title") or "none" for job in (before, after))
    if was != now:
        yield f"Role: {was} → {now}."
    if before.inputs.get("job_description") != after.inputs.get("job_description"):
        yield "Another job description." if after.inputs.get("job_description") else "No job description."
    versions = [(job.result or {})["assessment"]["rubric_version"] for job in (before, after)]
    if versions[0] != versions[1]:
        yield f"Rubric: {versions[0]} → {versions[1]}."


def _speakers(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    named_before, named_after = names(old), names(new)
    was, now = ((result.get("candidate") or {}).get("speaker") for result in (old, new))
    if was != now:
        yield f"Candidate: {named_before.get(was or '', 'nobody')} → {named_after.get(now or '', 'nobody')}."
    for label, view in new["speakers"].items():
        if view.get("name") and view["name"] != old["speakers"].get(label, {}).get("name"):
            yield f"{named_before.get(label, label)} is named {view['name']}."


def _scores(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ScoreChange]:
    called = {each["slug"]: each["name"] for result in (old, new) for each in result["rubric"]["competencies"]}
    before, after = (result["assessment"]["scores"] for result in (old, new))
    for slug in dict.fromkeys([*after, *before]):
        yield ScoreChange(called.get(slug, slug), _score(before.get(slug)), _score(after.get(slug)))


def _score(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "not in the rubric"
    return "no score" if score["score"] is None else f"{score['score']}"
