"""The bundled interview, end to end, on the default models."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import jiwer
import pytest
from meeteval.io import SegLST
from meeteval.wer import cpwer

from scripts.launcher.stack import Stack
from tests.support.sse import events
from tests.support.world import EVAL, SAMPLE

TRUTH = json.loads(SAMPLE.with_suffix(".json").read_text("utf-8"))
ANCHORS = ("Says nothing of this:", "Claims this:", "Gives an example:", "Explains an example:", "Shows its result:")
NORMAL = jiwer.Compose([
    jiwer.ToLowerCase(), jiwer.SubstituteRegexes({r"[^\w\s']": " "}), jiwer.RemoveMultipleSpaces(), jiwer.Strip(),
])  # fmt: skip


def run_job(client: httpx.Client, recording: Path) -> tuple[list[str], dict[str, Any]]:
    """Submit a recording. Returns its states in order, and the finished job."""
    with recording.open("rb") as file:
        answer = client.post("/v1/recruitscreen/jobs", data={"role_title": "Backend Engineer"}, files={"file": file})
    assert answer.status_code == 202, answer.text
    urls = answer.json()
    states = [data["status"] for name, data in events(client, urls["events_url"]) if name == "status"]
    return states, client.get(urls["status_url"]).json()


@pytest.fixture(scope="module")
def cold(client: httpx.Client) -> tuple[list[str], dict[str, Any]]:
    """The bundled interview as the first job after the start."""
    return run_job(client, SAMPLE)


def test_a_cold_sample_completes_through_every_state(cold: tuple[list[str], dict[str, Any]]) -> None:
    """The event stream shows that weights are loaded first."""
    states, job = cold
    assert states == ["queued", "loading_weights", "processing_inference", "completed"], job


def test_a_warm_sample_skips_loading(client: httpx.Client, cold: tuple[list[str], dict[str, Any]]) -> None:
    """A second job loads nothing, and its transcript is the same."""
    states, job = run_job(client, SAMPLE)
    assert states == ["queued", "processing_inference", "completed"]
    assert job["result"]["transcript"] == cold[1]["result"]["transcript"]


def test_the_words_are_recognised(cold: tuple[list[str], dict[str, Any]]) -> None:
    """The WER is below 10 % (5 % measured)."""
    hypothesis = " ".join(row["text"] for row in cold[1]["result"]["transcript"])
    reference = " ".join(turn["text"] for turn in TRUTH["turns"])
    assert jiwer.wer(NORMAL(reference), NORMAL(hypothesis)) < 0.10


def test_words_and_speakers_belong_together(cold: tuple[list[str], dict[str, Any]]) -> None:
    """There are two speakers, and cpWER is below 12 %, near the WER."""
    rows = cold[1]["result"]["transcript"]
    assert {row["speaker"] for row in rows} == {"SPEAKER_00", "SPEAKER_01"}
    assert cp_wer(TRUTH["turns"], rows) < 0.12


def test_candidate_and_interviewer_are_told_apart(cold: tuple[list[str], dict[str, Any]]) -> None:
    """The speaker who asks first is the interviewer."""
    result = cold[1]["result"]
    roles = {label: guess["role"] for label, guess in result["speakers"].items()}
    assert roles[result["transcript"][0]["speaker"]] == "interviewer"
    assert sorted(roles.values()) == ["candidate", "interviewer"]


def test_talk_metrics_are_near_the_truth(cold: tuple[list[str], dict[str, Any]]) -> None:
    """The talk ratio is within 5 points of the script's; its one interruption counts as two at most."""
    result = cold[1]["result"]
    candidate = next(label for label, guess in result["speakers"].items() if guess["role"] == "candidate")
    seconds: dict[str, float] = {}
    for turn in TRUTH["turns"]:
        seconds[turn["speaker"]] = seconds.get(turn["speaker"], 0.0) + turn["end"] - turn["start"]
    share = max(seconds.values()) / sum(seconds.values())
    assert abs(result["metrics"]["talk_ratio"][candidate] - share) < 0.05
    assert result["metrics"]["interruptions"] <= 2


def test_every_score_quotes_the_candidate(cold: tuple[list[str], dict[str, Any]]) -> None:
    """Every quote is in the candidate's transcript; a score without a quote is null and has a reason."""
    result = cold[1]["result"]
    candidate = next(label for label, guess in result["speakers"].items() if guess["role"] == "candidate")
    transcript = NORMAL(" ".join(row["text"] for row in result["transcript"] if row["speaker"] == candidate))
    assessment = result["assessment"]
    assert "fake" not in assessment["model"]
    assert any(score["score"] for score in assessment["scores"].values())
    for score in assessment["scores"].values():
        assert score["score"] is None or score["evidence"]
        assert not score["evidence"] or score["score"] or score["reason"] == "negation_in_doubt"
        assert score["score"] in {None, 1, 2, 3, 4, 5}
        assert score["score"] is not None or score["reason"]
        assert all(NORMAL(quote["quote"]) in transcript for quote in score["evidence"])
        assert all(quote["speaker"] == candidate for quote in score["evidence"])
    assert assessment["summary"]
    assert assessment["submittal_note"]


def test_another_rubric_takes_under_a_tenth_of_the_first_time(
    client: httpx.Client, cold: tuple[list[str], dict[str, Any]]
) -> None:
    """The same transcript under a rubric of the caller's, with warm models against warm models (1 to 3 % measured)."""
    _, first = run_job(client, SAMPLE)
    answer = client.post(f"/v1/jobs/{first['job_id']}/assessments", json={"rubric": OTHER_RUBRIC}).raise_for_status()
    assert [name for name, _ in events(client, answer.json()["events_url"])]  # until it is over
    again = client.get(answer.json()["status_url"]).json()
    assert list(again["result"]["assessment"]["scores"]) == ["ownership", "operations"]
    assert seconds(again) < seconds(first) / 10


OTHER_RUBRIC = {
    "competencies": [
        {
            "slug": slug, "name": slug.title(), "description": description, "cues": cues,
            "anchors": {level: f"{text} {description.lower()}" for level, text in enumerate(ANCHORS, start=1)},
        }
        for slug, description, cues in (
            ("ownership", "Takes on problems and sees them through.", ["I decided", "my idea", "responsible"]),
            ("operations", "Runs software in production.", ["production", "database", "outage", "latency"]),
        )
    ]
}  # fmt: skip


def seconds(job: dict[str, Any]) -> float:
    """From the submit to the end."""
    return (datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["created_at"])).total_seconds()


def test_credits_are_charged_once(client: httpx.Client, cold: tuple[list[str], dict[str, Any]]) -> None:
    """109 seconds cost two credits, in one ledger row."""
    job = cold[1]
    assert job["credits_charged"] == 2
    rows = client.get("/v1/credits/ledger", params={"limit": 100}).json()["data"]
    assert [row["credits"] for row in rows if row["job_id"] == job["job_id"]] == [-2]


def test_the_input_is_deleted(stack: Stack, cold: tuple[list[str], dict[str, Any]]) -> None:
    """The upload of a finished job is deleted from the blob store."""
    assert cold[1]["status"] == "completed"
    assert list((stack.options.folder / "blobs").iterdir()) == []


def test_the_models_are_warm_and_measured(client: httpx.Client, cold: tuple[list[str], dict[str, Any]]) -> None:
    """The public status shows loaded models with their measured memory."""
    models = client.get("/v1/models/status").json()["models"]
    assert [model["state"] for model in models] == ["warm"] * 3, cold[0]
    assert all(model["footprint_mib"] > 10 for model in models)


@pytest.mark.parametrize("name", ["phone_sample/sample.wav"])
def test_a_real_phone_call_is_transcribed(client: httpx.Client, name: str) -> None:
    """Thirty seconds with two people: two speakers, and a WER below 25 %."""
    recording = EVAL / "conversation" / name
    if not recording.exists():
        pytest.skip("the evaluation recordings are not here")
    _, job = run_job(client, recording)
    rows = job["result"]["transcript"]
    reference = [line.split(maxsplit=5)[5] for line in recording.with_suffix(".stm").read_text("utf-8").splitlines()]
    assert len({row["speaker"] for row in rows}) == 2
    assert jiwer.wer(NORMAL(" ".join(reference)), NORMAL(" ".join(row["text"] for row in rows))) < 0.25


def cp_wer(references: list[dict[str, Any]], hypotheses: list[dict[str, Any]]) -> float:
    """Concatenated minimum-permutation WER (Watanabe et al. 2020), by meeteval."""
    reference, hypothesis = (
        SegLST([
            {"session_id": "s", "speaker": row["speaker"], "words": NORMAL(row["text"]),
             "start_time": row["start"], "end_time": row["end"]}
            for row in rows
        ])
        for rows in (references, hypotheses)
    )  # fmt: skip
    return float(next(iter(cpwer(reference, hypothesis).values())).error_rate)
