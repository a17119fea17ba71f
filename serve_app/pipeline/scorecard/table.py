"""Scorecards as CSV: one row per competency."""

from typing import Any

from serve_app.pipeline.csv_table import to_csv
from serve_app.pipeline.scorecard.document import Score, Scorecard
from serve_app.pipeline.scorecard.text import quote_line

JOB = ("job_id", "role_title", "candidate", "label", "created_at", "recommendation")
SCORE = ("competency", "name", "score", "reason", "rationale", "confidence", "stable")
BASIS = ("model", "rubric_version", "prompt_version", "notice")


def to_table(card: Scorecard) -> str:
    """Return the scores as CSV. Each row holds the job, the model and versions, and that a person decides."""
    rows = [_row(card, score) for score in card.scores or ()]
    return to_csv([*JOB, *SCORE, "evidence", *BASIS], rows)


def _row(card: Scorecard, score: Score) -> dict[str, Any]:
    row = {name: getattr(card, name) for name in (*JOB, *BASIS)} | {name: getattr(score, name) for name in SCORE}
    evidence = "\n".join(quote_line(quote) for quote in score.evidence)
    return row | {"created_at": card.created_at.isoformat(), "evidence": evidence}
