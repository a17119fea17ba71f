"""Commands that account for the service and write documents, against a scripted server."""

import json
from pathlib import Path

import httpx
import pytest

from tests.unit.client.test_cli import run
from tests.unit.client.test_client import JOB, ok

USAGE_ROW = {"day": "2026-11-24", "status": "completed", "audio_s": 412.0}
USAGE_ROW |= {"jobs": 1, "credits_charged": 7, "credits_returned": 0}
USAGE = {"from": "2026-11-01", "to": "2026-11-30", "total": USAGE_ROW | {"jobs": 3}, "data": [USAGE_ROW]}


def test_usage_is_a_table_with_a_total() -> None:
    """The options become the query; the table has the columns that were grouped by, and the total."""
    result, server = run(
        "usage", "--from", "2026-11-01", "--to", "2026-11-30", "--by", "day", "--by", "status", script=[ok(USAGE)]
    )
    assert server.asked == ["GET /v1/usage?from=2026-11-01&to=2026-11-30&by=day&by=status"]
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0] == ["day", "state", "jobs", "audio", "credits", "returned"]
    assert ["2026-11-24", "completed", "1", "6:52", "7", "0"] in lines
    assert lines[-1] == ["all", "3", "6:52", "7", "0"]


def test_usage_without_jobs_is_an_empty_table() -> None:
    """No row is no error."""
    empty = {"total": {"jobs": 0, "audio_s": 0, "credits_charged": 0, "credits_returned": 0}, "data": []}
    assert run("usage", script=[ok(empty)])[0].exit_code == 0


def test_usage_is_saved_as_csv(tmp_path: Path) -> None:
    """The file holds the server's bytes."""
    text = "day,jobs\r\n2026-11-24,1\r\n"
    result, server = run("usage", "--csv", str(tmp_path / "u.csv"), script=[httpx.Response(200, text=text)])
    assert result.exit_code == 0
    assert server.asked == ["GET /v1/usage?format=csv"]
    assert (tmp_path / "u.csv").read_bytes() == text.encode()


def test_prices_are_a_table() -> None:
    """One product per row, with or without a demo."""
    product = {"vertical": "interviews", "credits_per_minute": 2, "max_duration_s": 14400.0, "max_bytes": 100_000_000}
    demo = {"max_duration_s": 300.0, "max_bytes": 1, "per_address": "3/hour"}
    result, _ = run("prices", script=[ok({"products": [product | {"demo": demo}, product | {"demo": None}]})])
    lines = [line.split() for line in result.stdout.splitlines() if "interviews" in line]
    assert lines[0] == ["interviews", "2", "4:00:00", "100", "MB", "5:00,", "3/hour"]
    assert lines[1][-1] == "none"


def test_a_scorecard_is_saved_as_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds the server's bytes, under the name that was asked for or one with the job's id."""
    monkeypatch.chdir(tmp_path)
    result, server = run("export", JOB, script=[httpx.Response(200, content=b"%PDF")])
    assert result.exit_code == 0
    assert (tmp_path / f"scorecard-{JOB}.pdf").read_bytes() == b"%PDF"
    assert server.asked == [f"GET /v1/jobs/{JOB}/scorecard?format=pdf"]
    options = ["--format", "docx", "--out", "a.docx", "--section", "summary", "--section", "scores", "--hide-name"]
    _, server = run("export", JOB, *options, script=[httpx.Response(200, content=b"PK")])
    assert (tmp_path / "a.docx").read_bytes() == b"PK"
    assert server.asked[0].endswith("?format=docx&sections=summary&sections=scores&hide_name=true")
    run("export", JOB, "--format", "ashby", script=[ok({"feedbackForm": {}})])
    assert json.loads((tmp_path / f"scorecard-{JOB}.ashby.json").read_text()) == {"feedbackForm": {}}


def test_a_scorecard_can_go_to_standard_output() -> None:
    """`--out -` prints the bytes and nothing else."""
    result, _ = run("export", JOB, "--format", "md", "--out", "-", script=[httpx.Response(200, text="# Interview")])
    assert result.stdout == "# Interview"
