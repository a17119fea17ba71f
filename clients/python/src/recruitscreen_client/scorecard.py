"""The scorecard of a finished job, for a terminal."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.json import JSON
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from recruitscreen_client.plain import clock, plain, words

RECOMMENDATIONS = {"advance": "green", "hold": "yellow", "reject": "red"}
SEVERITIES = {"high": "bold red", "medium": "yellow", "low": "dim"}
NO_SCORE = {
    "not_asked": "not asked",
    "no_evidence": "asked, but no evidence",
    "candidate_unknown": "candidate not certain",
    "no_speech": "no speech was recognised",
    "language_unsupported": "language not assessed",
    "negation_in_doubt": "negation in doubt",
}

NOT_ASSESSED = {"no_speech", "language_unsupported"}
"""Reasons that hold for a whole recording; the summary gives them."""


def card(job: dict[str, Any], *, transcript: bool = False) -> Group:
    """The scorecard of a job, or its state."""
    return Group(headline(job), *_parts(job, transcript=transcript))


def _parts(job: dict[str, Any], *, transcript: bool) -> Iterator[RenderableType]:
    result = job.get("result")
    if result is None:
        yield without_result(job)
    elif "assessment" not in result:  # a product with another result schema
        yield JSON.from_data(result)
    else:
        yield from (plain(warning, "yellow") for warning in input_warnings(result))
        if transcript:
            yield transcript_table(result)
        yield from speaker_lines(result)
        yield from candidate_line(result)
        yield from assessment_parts(result["assessment"], competency_names(result))


def input_warnings(result: dict[str, Any]) -> list[str]:
    """What of the recording could not be read, and which audio tracks were left out."""
    read = result.get("input", {})
    left_out = [
        f"Track {track['track']} was left out: {track['reason']}."
        for track in read.get("tracks", ())
        if not track["used"]
    ]
    return [*read.get("warnings", ()), *left_out]


def headline(job: dict[str, Any]) -> Text:
    """Id, state, product, length and price."""
    about = f"{job['vertical']}, {clock(job['duration_s'])}, {job['credits_charged']} credits"
    if returned := job.get("credits_returned"):
        about += f", {returned} returned"
    return plain(job["job_id"], "bold") + plain(f"  {words(job['status'])}  {about}")


def without_result(job: dict[str, Any]) -> Text:
    """Why a job has no result."""
    if error := job.get("error"):
        return plain(f"{error['code']}: {error['message']}", "red")
    if job.get("deleted_at"):
        return plain("Its content was deleted. Only this receipt is left.", "dim")
    return plain("It has no result yet." if job["status"] != "canceled" else "It was canceled.", "dim")


def competency_names(result: dict[str, Any]) -> dict[str, str]:
    """The name of each competency of the rubric, by slug."""
    return {each["slug"]: each["name"] for each in result.get("rubric", {}).get("competencies", ())}


def assessment_parts(assessment: dict[str, Any], names: dict[str, str]) -> Iterator[RenderableType]:
    """The parts of the assessment."""
    recommendation = assessment["recommendation"]
    title = plain(f"Recommendation: {words(recommendation)}", f"bold {RECOMMENDATIONS.get(recommendation, '')}".strip())
    yield Panel(plain(assessment["summary"]), title=title, title_align="left")
    yield score_table(assessment["scores"], names)
    yield from listing("Highlights", [plain(text) for text in assessment["highlights"]])
    yield from listing("Flags", [flag(each) for each in assessment["red_flags"]])
    yield from listing("Questions for the next round", [plain(text) for text in assessment["questions_for_next_round"]])
    if assessment["submittal_note"]:
        yield Panel(plain(assessment["submittal_note"]), title="Submittal note", title_align="left")
    judge = plain("Judged by ") + plain(assessment.get("model", "an unknown model"), "bold")
    versions = [f"{part} {assessment[key]}" for part, key in VERSIONS.items() if key in assessment]
    yield judge + plain("".join(f" · {version}" for version in versions))
    if fitness := assessment.get("fitness"):
        yield plain(measured_at(fitness), "dim")


def measured_at(fitness: dict[str, Any]) -> str:
    """What the judge was measured at, and what its scores are for."""
    if fitness.get("spearman") is None:
        return f"This judge was not measured on answers with a known level. {fitness['use']}"
    return (
        f"Measured on {fitness['answers']} answers of {fitness['authors']} authors: rank correlation with the level "
        f"{fitness['spearman']:.2f}, other rubrics {fitness['spearman_other_rubrics']:.2f}. {fitness['use']}"
    )


VERSIONS = {"rubric": "rubric_version", "prompt": "prompt_version"}


def score_table(scores: dict[str, dict[str, Any]], names: dict[str, str]) -> Table:
    """Scores with their evidence."""
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, title="Scores", title_justify="left", title_style="bold")
    table.add_column("competency", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("rationale and evidence", ratio=1)
    for slug, score in scores.items():
        table.add_row(plain(names.get(slug) or words(slug).capitalize()), points(score), reasons(score))
    return table


def points(score: dict[str, Any]) -> Text:
    """`●●●●○ 4`, with a question mark when repeated judgements differ. A dash without a score."""
    value = score["score"]
    if value is None:
        return plain("–", "dim")
    mark = "" if score.get("stable", True) else " ?"
    return plain("●" * value + "○" * (5 - value) + f" {value}{mark}", "green" if value >= 4 else "")


def reasons(score: dict[str, Any]) -> RenderableType:
    """The rationale, then quotes with their times."""
    lines = [plain(score["rationale"])] if score["rationale"] else []
    if score["score"] is None and score.get("reason"):
        lines.append(plain(NO_SCORE.get(score["reason"], words(score["reason"])), "dim"))
    return Group(*lines, *quotes(score.get("evidence", ())))


def quotes(evidence: Any) -> list[Text]:
    """Evidence as lines: time, quote, and the words of it that the recogniser is not sure of."""
    return [
        plain(f"{clock(each['start'])} ", "cyan") + plain(f"“{each['quote']}”", "italic") + doubts(each)
        for each in evidence
    ]


def doubts(evidence: dict[str, Any]) -> Text:
    """The words of a quote that the recogniser is not sure of; nothing if there are none."""
    unsure = ", ".join(f"“{word['text']}”" for word in evidence.get("doubtful", ()))
    return plain(f" (unsure: {unsure})", "yellow") if unsure else Text()


def flag(each: dict[str, Any] | str) -> RenderableType:
    """A flag with its severity and its quotes."""
    if isinstance(each, str):
        return plain(each)
    severity = each.get("severity", "")
    head = plain(f"{severity}: ", SEVERITIES.get(severity, "")) if severity else Text()
    return Group(head + plain(each["text"]), *quotes(each.get("evidence", ())))


def listing(title: str, items: list[Any]) -> Iterator[RenderableType]:
    """A list with a title; nothing if it is empty."""
    if not items:
        return
    table = Table.grid(padding=(0, 1))
    for item in items:
        table.add_row(" •", item)
    yield plain(title, "bold")
    yield table


def speaker_lines(result: dict[str, Any]) -> list[Text]:
    """Talk metrics: one line per speaker, one for the conversation."""
    metrics = result["metrics"]
    lines = [speaker_line(label, result) for label in metrics["talk_ratio"]]
    overall = [f"interruptions {metrics['interruptions']}"]
    if (pause := metrics.get("median_pause_before_answer_s")) is not None:
        overall.append(f"median pause before an answer {pause:.1f} s")
    if (coverage := metrics.get("coverage")) is not None:
        overall.append(f"words cover {coverage:.0%} of the speech")
    return [*lines, plain(" · ".join(overall), "dim")]


def candidate_line(result: dict[str, Any]) -> list[Text]:
    """Who the candidate is and how sure that is; what to do where it is not certain."""
    candidate = result.get("candidate")
    if candidate is None or NOT_ASSESSED & {score.get("reason") for score in result["assessment"]["scores"].values()}:
        return []
    if candidate["speaker"] is not None:
        source = "as you said" if candidate["source"] == "caller" else f"{candidate['confidence']:.0%} sure"
        return [plain(f"Candidate: {candidate['speaker']}, {source}.", "dim")]
    if candidate["source"] == "caller":
        return [plain("The speaker that you named as the candidate was not found. Nothing was scored.", "yellow")]
    sure = f"{candidate['confidence']:.0%} sure, {candidate['min_confidence']:.0%} is needed"
    return [
        plain(f"It is not certain who the candidate is ({sure}). Nothing was scored. ", "yellow")
        + plain("Submit again with --candidate first or --candidate second.", "yellow")
    ]


def speaker_line(label: str, result: dict[str, Any]) -> Text:
    """One speaker's metrics."""
    metrics = result["metrics"]
    facts = [f"{metrics['talk_ratio'][label]:.0%} of the talk"]
    if (rate := metrics.get("words_per_minute", {}).get(label)) is not None:
        facts.append(f"{rate:.0f} words a minute")
    if (longest := metrics.get("longest_monologue_s", {}).get(label)) is not None:
        facts.append(f"longest stretch {clock(longest)}")
    if asked := metrics.get("questions_asked", {}).get(label):
        facts.append(f"{asked} questions")
    return plain(speaker(label, result), "bold") + plain("  " + " · ".join(facts))


def speaker(label: str, result: dict[str, Any]) -> str:
    """The label, and the role if known."""
    role = result.get("speakers", {}).get(label, {}).get("role", "")
    return f"{label} {role}".strip()


def transcript_table(result: dict[str, Any]) -> Table:
    """The transcript: time, speaker, text."""
    table = Table(box=box.SIMPLE_HEAD, title="Transcript", title_justify="left", title_style="bold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("speaker", no_wrap=True)
    table.add_column("text", ratio=1)
    for line in result["transcript"]:
        table.add_row(clock(line["start"]), plain(speaker(line["speaker"], result)), plain(line["text"]))
    return table
