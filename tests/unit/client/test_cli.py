"""The command `recruitscreen` against a scripted server: its output and its exit codes."""

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from recruitscreen_client import ConnectionFailed, RecruitScreen, live
from recruitscreen_client.cli import app
from rich.console import Console
from typer.testing import CliRunner, Result

from serve_app.verticals.rubric import CallerRubric
from tests.unit.client.test_client import JOB, LIFE, SUBMITTED, Answer, Server, frame, ok, page, refusal, stream
from tests.unit.verticals.test_rubric import OWN

EVIDENCE = {
    "quote": "I moved [red]that[/red] report \x1b[2J",
    "start": 3661.0,
    "end": 3665.0,
    "speaker": "SPEAKER_01",
    "doubtful": [{"start": 3661.2, "end": 3661.6, "text": "moved", "confidence": 0.41}],
}
RESULT: dict[str, Any] = {
    "duration_s": 109.4,
    "input": {
        "tracks": [{"track": 1, "used": False, "reason": "silent"}, {"track": 2, "used": True, "reason": None}],
        "warnings": ["Damaged: about 2.0 s could not be decoded; 107.4 s were read."],
    },
    "transcript": [{"start": 0.4, "end": 4.8, "speaker": "SPEAKER_00", "text": "Why are you interested?"}],
    "speakers": {"SPEAKER_00": {"role": "interviewer", "confidence": 0.9}},
    "rubric": {"competencies": [{"slug": "problem_solving", "name": "Solving hard problems"}]},
    "metrics": {"talk_ratio": {"SPEAKER_00": 0.41, "SPEAKER_01": 0.59}, "interruptions": 1, "coverage": 0.97},
    "assessment": {
        "summary": "Solid on production work.",
        "recommendation": "insufficient_evidence",
        "scores": {
            "problem_solving": {"score": 4, "rationale": "Measured first.", "evidence": [EVIDENCE], "stable": False},
            "leadership": {"score": None, "rationale": "", "evidence": [], "reason": "not_asked"},
        },
        "highlights": ["Found a locked table."],
        "red_flags": [{"text": "Vague dates", "severity": "low", "evidence": []}, "A plain flag"],
        "questions_for_next_round": ["Who wrote the report?"],
        "submittal_note": "A careful engineer.",
        "model": "fake-assessor",
        "rubric_version": "1",
    },
}
DONE: dict[str, Any] = {
    "job_id": JOB,
    "status": "completed",
    "vertical": "recruitscreen",
    "detail": None,
    "duration_s": 109.4,
    "credits_charged": 2,
    "created_at": "2026-01-01T00:00:00Z",
    "result": RESULT,
    "error": None,
}
FAILED = DONE | {"status": "failed", "result": None, "error": {"code": "vram_unavailable", "message": "GPU is full."}}


def run(*args: str, script: Sequence[Answer] = (), stdin: str | None = None) -> tuple[Result, Server]:
    """Run a command against a server with this script."""
    server = Server(*script)

    def connect(*_: str | None) -> RecruitScreen:
        return server.client

    return CliRunner().invoke(app, args, obj=connect, input=stdin), server


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "call.mp3"
    path.write_bytes(b"sound")
    return str(path)


def interrupted(_: httpx.Request) -> httpx.Response:
    raise KeyboardInterrupt


def test_submit_follows_to_the_scorecard_and_exports(recording: str, tmp_path: Path) -> None:
    """Progress goes to standard error, the scorecard to standard output, subtitles to a file."""
    out = tmp_path / "out.srt"
    script = [ok(SUBMITTED, 202), stream(*LIFE), ok(DONE), httpx.Response(200, text="1\r\n00:00 ü")]
    result, server = run(
        "submit", recording, "--role", "Engineer", "--export", f"srt:{out}", "--metadata", "ats=7", script=script
    )
    assert result.exit_code == 0, result.output
    assert b'{"ats": "7"}' in server.bodies[0]
    assert "7 credits, 93 remain" in result.stderr
    assert re.search(r"1\.0 s  loading weights", result.stderr)
    assert "Recommendation: insufficient evidence" in result.stdout
    assert "loading weights" not in result.stdout
    assert out.read_bytes() == "1\r\n00:00 ü".encode()


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_a_rubric_is_read_from_yaml_or_json(recording: str, tmp_path: Path, write: Callable[[Any], str]) -> None:
    """The form carries the rubric as JSON, and a version that YAML parses as a date stays a string."""
    path = tmp_path / "rubric"
    path.write_text(write(OWN) + "\n" if write is json.dumps else "version: 2026-11-01\n" + write(OWN), "utf-8")
    result, server = run(
        "submit", recording, "--role", "x", "--rubric", str(path), "--no-follow", script=[ok(SUBMITTED, 202)]
    )
    assert result.exit_code == 0, result.output
    sent = re.search(rb'name="rubric"\r\n\r\n(.*?)\r\n', server.bodies[0])
    assert sent
    rubric = CallerRubric.model_validate_json(sent[1])
    assert rubric.competencies == CallerRubric.model_validate(OWN).competencies
    assert rubric.version == (None if write is json.dumps else "2026-11-01")


@pytest.mark.parametrize("text", ["competencies: [", "just words", "", "- a\n- b"])
def test_a_file_without_a_rubric_is_wrong_usage(recording: str, tmp_path: Path, text: str) -> None:
    """The command exits with code 2 before any request."""
    path = tmp_path / "rubric.yaml"
    path.write_text(text)
    result, server = run("submit", recording, "--role", "x", "--rubric", str(path))
    assert result.exit_code == 2
    assert server.requests == []


def test_the_scorecard_shows_what_a_judgement_rests_on() -> None:
    """It shows scores, timed quotes, reasons for missing scores, flags, questions, the note and the model."""
    result, _ = run("show", JOB, "--transcript", script=[ok(DONE)])
    for piece in (
        "completed  recruitscreen, 1:49, 2 credits", "Why are you interested?", "interruptions 1",
        "SPEAKER_00 interviewer  41% of the talk", "words cover 97% of the speech", "Solid on production work.",
        "Solving hard problems", "●●●●○ 4 ?", "Measured first.", "1:01:01 “I moved", "(unsure: “moved”)",
        "Leadership", "not asked", "Found a locked table.", "low: Vague dates", "A plain flag", "Who wrote the report?",
        "A careful engineer.", "Judged by fake-assessor · rubric 1",
    ):  # fmt: skip
        assert piece in result.stdout, piece


@pytest.mark.parametrize(
    ("speaker", "source", "words"),
    [
        ("SPEAKER_01", "guess", "Candidate: SPEAKER_01, 51% sure."),
        ("SPEAKER_01", "caller", "Candidate: SPEAKER_01, as you said."),
        (None, "guess", "not certain who the candidate is (51% sure, 75% is needed). Nothing was scored."),
        (None, "caller", "The speaker that you named as the candidate was not found."),
    ],
)
def test_the_scorecard_says_how_sure_it_is_of_the_candidate(speaker: str | None, source: str, words: str) -> None:
    """It names the candidate with the confidence, or says why nothing was scored and what to do."""
    candidate = {"speaker": speaker, "confidence": 0.51, "source": source, "min_confidence": 0.75}
    result, _ = run("show", JOB, script=[ok(DONE | {"result": RESULT | {"candidate": candidate}})])
    assert words in " ".join(result.stdout.split())
    assert ("--candidate first" in " ".join(result.stdout.split())) == (speaker is None and source == "guess")


def test_the_scorecard_says_that_a_language_is_not_assessed() -> None:
    """Every score gives the reason, and nobody is asked to say who the candidate is."""
    candidate = {"speaker": None, "confidence": 0.5, "source": "guess", "min_confidence": 0.75}
    unscored = {"score": None, "rationale": "It is in Spanish.", "evidence": [], "reason": "language_unsupported"}
    assessment = RESULT["assessment"] | {"scores": {"teamwork": unscored}}
    result, _ = run(
        "show", JOB, script=[ok(DONE | {"result": RESULT | {"candidate": candidate, "assessment": assessment}})]
    )
    assert "language not assessed" in result.stdout
    assert "--candidate" not in result.stdout


def test_what_the_server_sends_cannot_style_the_terminal() -> None:
    """Markup and control codes from the server have no effect."""
    result, _ = run("show", JOB, script=[ok(DONE)])
    assert "[red]that[/red] report" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_failed_job_is_exit_code_1_with_the_way_on() -> None:
    """The command prints the error and, when a retry can help, the retry command."""
    result, _ = run("follow", JOB, script=[stream(frame(1, "queued"), frame(2, "failed")), ok(FAILED)])
    assert result.exit_code == 1
    assert "vram_unavailable: GPU is full." in result.stdout
    assert f"recruitscreen retry {JOB}" in result.stderr
    unreadable = FAILED | {"error": {"code": "media_unreadable", "message": "No sound."}}
    result, _ = run("follow", JOB, script=[stream(frame(1, "queued"), frame(2, "failed")), ok(unreadable)])
    assert "retry" not in result.stderr


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        (refusal(402, "insufficient_credits", credits_needed=7, upgrade_url="https://x.test/p"), "https://x.test/p"),
        (refusal(401, "invalid_api_key"), "RECRUITSCREEN_API_KEY"),
        (refusal(413, "file_too_large"), "ffmpeg"),
        (refusal(500, "internal"), "request id r1"),
        (httpx.UnsupportedProtocol("no scheme"), "--base-url"),
    ],
)
def test_a_refusal_is_exit_code_1_with_the_fix(recording: str, answer: Answer, fix: str) -> None:
    """Message and hint go to standard error."""
    result, _ = run("submit", recording, "--role", "Engineer", script=[answer])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert fix in result.stderr.replace("\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ["submit", "FILE"],
        ["submit", "nowhere.mp3", "--role", "x"],
        ["submit", "FILE", "--role", "x", "--export", "pdf:out.pdf"],
        ["submit", "FILE", "--role", "x", "--export", "srt:no/such/folder/out.srt"],
        ["submit", "FILE", "--role", "x", "--export", "srt:out.srt", "--no-follow"],
        ["submit", "FILE", "--role", "x", "--metadata", "seven"],
        ["quote"],
        ["quote", "FILE", "--duration", "3"],
        ["transcript", JOB, "--format", "pdf"],
        ["dance"],
    ],
)
def test_wrong_usage_is_exit_code_2_before_any_request(recording: str, args: list[str]) -> None:
    """Nothing is uploaded or charged."""
    result, server = run(*[recording if arg == "FILE" else arg for arg in args])
    assert result.exit_code == 2
    assert server.requests == []


def test_a_malformed_key_is_wrong_usage() -> None:
    """The command exits with code 2 before any request."""
    result = CliRunner().invoke(app, ["--api-key", "lv_sk_…", "credits"])
    assert (result.exit_code, "Copy it again" in result.stderr) == (2, True)


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_go_on() -> None:
    """The command exits with code 130 and cancels nothing."""
    result, server = run("follow", JOB, script=[interrupted])
    assert result.exit_code == 130
    assert f"The job continues. Follow it: recruitscreen follow {JOB}" in result.stderr
    assert server.asked == [f"GET /v1/jobs/{JOB}/events"]


def test_ctrl_c_while_uploading_does_not_claim_to_know(recording: str) -> None:
    """The message points to `list`, since the server may have accepted the job."""
    result, _ = run("submit", recording, "--role", "x", script=[interrupted])
    assert result.exit_code == 130
    assert "recruitscreen list" in result.stderr


def test_json_is_all_that_standard_output_holds(recording: str) -> None:
    """Standard output is the finished job, or the response to the submit with --no-follow."""
    script = [ok(SUBMITTED, 202), stream(*LIFE), ok(DONE)]
    result, _ = run("submit", recording, "--role", "x", "--json", script=script)
    assert json.loads(result.stdout) == DONE
    result, _ = run("submit", recording, "--role", "x", "--json", "--no-follow", script=[ok(SUBMITTED, 202)])
    assert json.loads(result.stdout) == SUBMITTED
    result, _ = run("submit", recording, "--role", "x", "--no-follow", script=[ok(SUBMITTED, 202)])
    assert result.stdout == f"{JOB}\n"


def test_jobs_that_have_nothing_to_show_say_why() -> None:
    """Running jobs, deleted jobs and jobs of other products have a message."""
    running = DONE | {"status": "queued", "result": None}
    assert "no result yet" in run("show", JOB, script=[ok(running)])[0].stdout
    deleted = DONE | {"result": None, "deleted_at": "2026-01-01T00:00:00Z"}
    assert "was deleted" in run("show", JOB, script=[ok(deleted)])[0].stdout
    assert '"tags"' in run("show", JOB, script=[ok(DONE | {"result": {"tags": []}})])[0].stdout


def test_the_lists_read_as_tables() -> None:
    """Jobs, credits, ledger and models are shown as text tables."""
    result, server = run("list", "--status", "completed", script=[ok({"data": [DONE], "has_more": False})])
    assert JOB in result.stdout
    assert server.asked == ["GET /v1/jobs?status=completed&limit=20"]
    row = DONE | {"role_title": "Data Engineer", "label": "Candidate 17"}
    options = ("--search", "data", "--metadata", "team=x")
    result, server = run("list", *options, script=[ok({"data": [row], "has_more": False})])
    assert "Data Engineer" in result.stdout
    assert "Candidate" in result.stdout
    assert dict(server.requests[0].url.params) == {"q": "data", "metadata[team]": "x", "limit": "20"}
    row = DONE | {"deleted_at": "2026-01-02T00:00:00Z"}
    assert "(deleted)" in run("list", script=[ok({"data": [row], "has_more": False})])[0].stdout
    refundable = run("credits", script=[ok({"balance": 93, "held": 7, "refundable": 2})])[0].stdout
    assert "2 of failed jobs that can be retried" in " ".join(refundable.split())
    assert "93 credits, 7 held" in run("credits", script=[ok({"balance": 93, "held": 7})])[0].stdout
    row = {"created_at": "2026-01-01T00:00:00Z", "kind": "charge", "credits": -7, "job_id": JOB, "reason": ""}
    listed = run("credits", "--ledger", script=[ok({"data": [row], "has_more": False})])[0]
    assert re.search(r"charge +-7 +" + JOB, listed.stdout)
    model = {"role": "asr", "name": "tiny", "state": "warm", "footprint_mib": 80, "load_s_p50": 1.25}
    pool = {"models": [model], "queue_depths": {"recruitscreen": 2}, "degraded": True, "reason": "no GPU"}
    shown = run("models", script=[ok(pool)])[0].stdout
    assert re.search(r"asr +tiny +warm +80", shown)
    assert "Waiting jobs: 2 in recruitscreen" in shown
    assert "Degraded: no GPU" in shown


def test_quote_says_price_and_time() -> None:
    """A quote for a duration is one line."""
    answer = {"credits": 7, "duration_s": 412.0, "expected_s": 95.2, "cold": True}
    result, _ = run("quote", "--duration", "412", script=[ok(answer)])
    assert result.stdout == "7 credits for 6:52, about 1:35 to the result, models have to be loaded first\n"


def test_delete_asks_first() -> None:
    """Only a confirmation or --yes deletes."""
    result, server = run("delete", JOB, stdin="n\n")
    assert (result.exit_code, server.requests) == (1, [])
    result, _ = run("delete", JOB, "--yes", script=[ok({"job_id": JOB, "deleted": True})])
    assert (result.exit_code, result.stdout) == (0, f"{JOB} deleted.\n")


def test_a_transcript_goes_to_standard_output_or_a_file(tmp_path: Path) -> None:
    """The text is unchanged."""
    text = "[00:00:00] Interviewer: [bold]Why?\n"
    assert run("transcript", JOB, script=[httpx.Response(200, text=text)])[0].stdout == text
    out = tmp_path / "t.txt"
    result, _ = run("transcript", JOB, "--format", "txt", "--out", str(out), script=[httpx.Response(200, text=text)])
    assert (out.read_text(), result.stdout) == (text, "")


def test_cancel_and_retry_tell_the_new_state() -> None:
    """Retry follows the job unless --no-follow is given."""
    assert "canceled" in run("cancel", JOB, script=[ok(DONE | {"status": "canceled", "result": None})])[0].stdout
    assert "queued again" in run("retry", JOB, "--no-follow", script=[ok(SUBMITTED, 202)])[0].stdout
    result, _ = run("retry", JOB, script=[ok(SUBMITTED, 202), stream(*LIFE), ok(DONE)])
    assert "Judged by" in result.stdout


LOADING = {"roles": ["asr", "diarizer"], "bytes_loaded": 60 << 20, "bytes_total": 80 << 20, "expected_s": 8.2}
MOVING = (
    frame(1, "queued"),
    frame(2, "loading_weights", loading=LOADING),
    frame(3, "processing_inference"),
    *[frame(4 + n, "processing_inference", "progress", stage="transcription", percent=10 * n) for n in range(7)],
    frame(11, "completed"),
)


def test_a_log_gets_few_lines() -> None:
    """A log gets a line per state, and one when five seconds have passed without a line."""
    log = io.StringIO()
    live.follow(Server(stream(*MOVING), ok(DONE)).client, JOB, Console(file=log, width=100))
    assert [re.sub(r"^ *[\d.]+ s +", "", line) for line in log.getvalue().splitlines()] == [
        "queued", "loading weights", "processing inference", "transcription, 40 %", "completed",
    ]  # fmt: skip


def test_a_terminal_gets_a_bar_with_what_is_loading() -> None:
    """The bar shows roles, bytes and expected seconds; a lost connection restores the cursor."""
    console = Console(file=io.StringIO(), width=160, force_terminal=True, _environ={"TERM": "xterm"})
    server = Server(stream(*MOVING[:2], broken=True), attempts=1)
    with pytest.raises(ConnectionFailed):
        live.follow(server.client, JOB, console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "loading asr, diarizer · 60 of 80 MiB · about 8 s" in shown
    assert "75%" in shown
    assert "\x1b[?25h" in shown


def test_pages_are_fetched_for_a_long_list() -> None:
    """The command fetches pages up to the limit."""
    result, server = run("list", "--limit", "3", "--json", script=[page(1, 2, then="x"), page(3)])
    assert json.loads(result.stdout) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert len(server.requests) == 2
