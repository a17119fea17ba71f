"""Assessing again, reviews and agreement with the Python client and on the command line."""

import json
from pathlib import Path

import httpx
import pytest

from tests.unit.client.test_cli import run
from tests.unit.client.test_client import JOB, SUBMITTED, Server, ok

VERSION = {
    "version": 1, "job_id": JOB, "status": "completed", "role_title": "Engineer", "rubric_version": "1",
    "candidate": "SPEAKER_01", "corrected_lines": 0, "recommendation": "hold", "scores": {"teamwork": 4},
}  # fmt: skip
FURTHER = VERSION | {"version": 2, "status": "queued", "scores": {}, "recommendation": None}
COUNTED = {"pairs": 9, "same": 6, "kappa": 0.41, "within_one": 9, "weighted_kappa": None}
AGREEMENT = {"reviews": 12, "recommendation": COUNTED, "competencies": {"problem_solving": COUNTED}}


def body(request: httpx.Request) -> object:
    return json.loads(request.content)


def test_a_reassessment_sends_what_changes_and_takes_away() -> None:
    """None is sent as null; the same key is sent again after a lost answer."""
    server = Server(httpx.ReadError("lost"), ok(SUBMITTED, 202))
    lines = [{"line": 3, "text": "I found the lock."}]
    assert server.client.reassess(JOB, candidate="SPEAKER_00", rubric=None, lines=lines)["job_id"] == JOB
    assert server.asked == [f"POST /v1/jobs/{JOB}/assessments"] * 2
    assert body(server.requests[1]) == {"candidate": "SPEAKER_00", "rubric": None, "lines": lines}
    first, second = (request.headers["Idempotency-Key"] for request in server.requests)
    assert first == second


def test_reviews_and_agreement_reach_their_addresses() -> None:
    """Only what is given is sent."""
    server = Server(ok({}), ok(AGREEMENT), ok({"data": [VERSION]}))
    server.client.review(JOB, scores={"teamwork": {"score": None}}, reviewer="R. 7")
    assert server.client.agreement(model="qwen", reviewer=None)["reviews"] == 12
    assert server.client.assessments(JOB) == [VERSION]
    assert server.asked == [
        f"POST /v1/jobs/{JOB}/review", "GET /v1/reviews/agreement?model=qwen", f"GET /v1/jobs/{JOB}/assessments",
    ]  # fmt: skip
    assert body(server.requests[0]) == {"reviewer": "R. 7", "scores": {"teamwork": {"score": None}}}


def test_the_command_sends_corrections_and_names(tmp_path: Path) -> None:
    """It reads them from a file and from options, and says how to follow the new job."""
    file = tmp_path / "lines.yaml"
    file.write_text("- {line: 0, text: Hello.}\n- {line: 2, speaker: SPEAKER_01}\n")
    options = ("--role", "Baker", "--name", "SPEAKER_00=Ann", "--corrections", str(file))
    result, server = run("reassess", JOB, *options, script=[ok(SUBMITTED, 202)])
    assert result.stdout.strip() == JOB
    assert f"recruitscreen follow {JOB}" in result.stderr
    assert body(server.requests[0]) == {
        "role_title": "Baker",
        "speakers": {"SPEAKER_00": "Ann"},
        "lines": [{"line": 0, "text": "Hello."}, {"line": 2, "speaker": "SPEAKER_01"}],
    }


def test_the_command_sends_scores_with_their_reasons() -> None:
    """A score of 0 says that the interview does not tell."""
    options = ("--score", "teamwork=4", "--score", "motivation=0", "--reason", "teamwork=Own part.", "--note", "Fine.")
    result, server = run("review", JOB, *options, script=[ok({"reviewer": "R. 7"})])
    assert f"R. 7 reviewed {JOB}." in result.stdout
    scores = {"teamwork": {"score": 4, "reason": "Own part."}, "motivation": {"score": None}}
    assert body(server.requests[0]) == {"scores": scores, "note": "Fine."}


@pytest.mark.parametrize(
    "options", [("--score", "teamwork"), ("--score", "teamwork=good"), ("--reason", "teamwork=Own part.")]
)
def test_a_review_that_cannot_be_meant_is_wrong_usage(options: tuple[str, ...]) -> None:
    """Nothing is sent."""
    result, server = run("review", JOB, *options)
    assert (result.exit_code, server.requests) == (2, [])


def test_assessments_and_agreement_read_as_tables() -> None:
    """Versions stand side by side; what is unknown is a dash."""
    shown = run("assessments", JOB, script=[ok({"data": [VERSION, FURTHER]})])[0].stdout
    assert "teamwork" in shown
    assert "–" in shown
    shown = run("agreement", script=[ok(AGREEMENT)])[0].stdout
    assert "problem solving" in shown
    assert "12 reviews" in shown
