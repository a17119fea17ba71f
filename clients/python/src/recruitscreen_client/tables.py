"""Tables and one-line views of lists and small responses."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from recruitscreen_client.impact import Impact
from recruitscreen_client.live import STYLES
from recruitscreen_client.plain import clock, plain, words

USAGE_GROUPS = {"day": "day", "key_name": "key", "key_id": "key id", "vertical": "product", "status": "state"}
WARMTH = {"warm": "green", "loading": "yellow", "evicting": "yellow"}


def jobs(rows: Iterable[dict[str, Any]]) -> Table:
    """One job per row."""
    table = _table("job", "created", "role and label", ">length", ">credits", "product", "state")
    for job in rows:
        state = plain(words(job["status"]), STYLES.get(job["status"], ""))
        if job.get("detail"):
            state += plain(f" ({job['detail']})", "dim")
        if job.get("deleted_at"):
            state += plain(" (deleted)", "dim")
        about = " · ".join(filter(None, (job.get("role_title"), job.get("label"))))
        length, charged = clock(job["duration_s"]), str(job["credits_charged"])
        when = _local(job["created_at"])
        table.add_row(plain(job["job_id"]), when, plain(about), length, charged, plain(job["vertical"]), state)
    return table


def ledger(rows: Iterable[dict[str, Any]]) -> Table:
    """One ledger entry per row."""
    table = _table("when", "kind", ">credits", "job", "reason")
    for row in rows:
        table.add_row(
            _local(row["created_at"]),
            plain(row["kind"]),
            f"{row['credits']:+d}",
            plain(row.get("job_id") or ""),
            plain(row.get("reason") or ""),
        )
    return table


def credits(state: dict[str, Any]) -> Text:  # noqa: A001 - the API's word
    """Balance, held and refundable credits in one line."""
    line = f"{state['balance']} credits, {state['held']} held by jobs that are not over"
    if refundable := state.get("refundable"):
        line += f", {refundable} of failed jobs that can be retried"
    return plain(line)


def usage(report: dict[str, Any]) -> Table:
    """One row of usage per row, then the total. Shows the columns that the rows are grouped by."""
    rows = report["data"]
    groups = [name for name in USAGE_GROUPS if rows and name in rows[0]]
    table = _table(*(USAGE_GROUPS[name] for name in groups), ">jobs", ">audio", ">credits", ">returned")
    for row in rows:
        cells = [plain(row[name] or "") for name in groups]
        table.add_row(*cells, *_sums(row))
    if groups:
        table.add_section()
        table.add_row("all", *[""] * (len(groups) - 1), *_sums(report["total"]))
    return table


def _sums(row: dict[str, Any]) -> list[str]:
    return [str(row["jobs"]), clock(row["audio_s"]), str(row["credits_charged"]), str(row["credits_returned"])]


def prices(answer: dict[str, Any]) -> Table:
    """One product per row."""
    table = _table("product", ">credits a minute", ">longest", ">largest", "demo")
    for product in answer["products"]:
        demo = product.get("demo")
        table.add_row(
            plain(product["vertical"]),
            str(product["credits_per_minute"]),
            clock(product["max_duration_s"]),
            f"{product['max_bytes'] / 1e6:.0f} MB",
            plain(f"{clock(demo['max_duration_s'])}, {demo['per_address']}" if demo else "none"),
        )
    return table


def models(status: dict[str, Any]) -> Group:
    """The pool: one model per row, then the waiting jobs."""
    table = _table("role", "model", "state", ">MiB", "device", ">processes", ">busy", ">load s")
    for model in status["models"]:
        load = model.get("load_s_p50")
        table.add_row(
            plain(model["role"]),
            plain(model["name"]),
            plain(model["state"], WARMTH.get(model["state"], "dim")),
            str(model["footprint_mib"]),
            plain(model.get("device") or ""),
            str(model.get("replicas", "")),
            str(model.get("in_flight", "")),
            "" if load is None else f"{load:.1f}",
        )
    waiting = ", ".join(f"{count} in {name}" for name, count in status.get("queue_depths", {}).items() if count)
    below = [plain(f"Waiting jobs: {waiting or 'none'}", "dim")]
    if status.get("degraded"):
        below.append(plain(f"Degraded: {status.get('reason') or 'no reason given'}", "yellow"))
    return Group(table, *below)


def quote(answer: dict[str, Any]) -> Text:
    """Price and expected duration in one line."""
    line = f"{answer['credits']} credits for {clock(answer['duration_s'])}"
    if answer.get("expected_s") is not None:
        line += f", about {clock(answer['expected_s'])} to the result"
    return plain(line + (", models have to be loaded first" if answer.get("cold") else ""))


def _table(*columns: str) -> Table:
    """A table. A `>` before a column's name aligns it to the right."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    return table


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def assessments(versions: Iterable[dict[str, Any]]) -> Table:
    """One assessment per column: state, what it was asked, and the scores."""
    columns = list(versions)
    table = _table("", *(str(version["version"]) for version in columns))
    facts = {
        "job": "job_id",
        "state": "status",
        "role": "role_title",
        "rubric": "rubric_version",
        "candidate": "candidate",
        "corrected lines": "corrected_lines",
        "recommendation": "recommendation",
    }
    for name, fact in facts.items():
        table.add_row(plain(name), *(plain(_shown(version[fact])) for version in columns))
    for slug in dict.fromkeys(slug for version in columns for slug in version["scores"]):
        table.add_row(plain(words(slug)), *(plain(_shown(version["scores"].get(slug))) for version in columns))
    return table


def agreement(found: dict[str, Any]) -> Group:
    """One competency per row, then the recommendation."""
    table = _table("competency", ">pairs", ">same", ">within one", ">kappa", ">weighted kappa")
    for slug, one in found["competencies"].items():
        kappas = [_shown(one[name]) for name in ("kappa", "weighted_kappa")]
        table.add_row(plain(words(slug)), str(one["pairs"]), str(one["same"]), str(one["within_one"]), *kappas)
    overall = found["recommendation"]
    table.add_row("recommendation", str(overall["pairs"]), str(overall["same"]), "", _shown(overall["kappa"]), "")
    return Group(table, plain(f"{found['reviews']} reviews", "dim"))


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def impact(found: Impact) -> Group:
    """A table for each group: rate and impact ratio of every category."""
    scores = found.median is not None
    basis = f"a score above {found.median:g}, the median" if scores else "selected"
    parts: list[RenderableType] = [plain(f"{found.people} people with '{found.outcome}'. Rate: the part with {basis}.")]
    for group in found.groups:
        table = _table(group.name, ">people", ">share", ">chosen", ">rate", ">impact ratio")
        for one in group.categories:
            ratio = "–" if one.impact_ratio is None else f"{one.impact_ratio:.3f}"
            small = " (under 2 %)" if one.is_small else ""
            table.add_row(
                plain(one.category + small),
                str(one.people),
                f"{one.share:.1%}",
                str(one.selected),
                f"{one.rate:.1%}",
                ratio,
            )
        parts += [Text(), table, plain(f"{group.unknown} people whose {group.name} is unknown are not counted.", "dim")]
    return Group(*parts)


def results_csv(jobs: Sequence[dict[str, Any]]) -> str:
    """Recommendation and scores, a row for each job. A score that is null is an empty cell."""
    slugs = list(dict.fromkeys(slug for job in jobs for slug in job["result"]["assessment"]["scores"]))
    named = ("job_id", "label", "file_name", "role_title")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*named, "recommendation", *(f"score_{slug}" for slug in slugs)])
    for job in jobs:
        assessment = job["result"]["assessment"]
        scores = [assessment["scores"].get(slug, {}).get("score") for slug in slugs]
        writer.writerow([*(_inert(job.get(name)) for name in named), assessment["recommendation"], *scores])
    return out.getvalue()


def _inert(text: str | None) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text or ""
