"""The Serve graph on a real Ray: cold, warm, scaled to zero, killed."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.serve.conftest import SECOND_PRODUCT
from tests.serve.pool_calls import processes
from tests.support.sse import events
from tests.support.world import tone

SLOW = 90
"""Seconds; generous, since Ray starts processes on a busy machine."""


def run_job(client: httpx.Client, recording: Path) -> tuple[list[str], dict[str, Any]]:
    """The states a job went through, and the job at its end."""
    with recording.open("rb") as file:
        answer = client.post("/v1/recruitscreen/jobs", data={"role_title": "Engineer"}, files={"file": file})
    assert answer.status_code == 202, answer.text
    urls = answer.json()
    states = [data["status"] for name, data in events(client, urls["events_url"]) if name == "status"]
    return states, client.get(urls["status_url"]).json()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of sound."""
    path = tmp_path / "call.wav"
    path.write_bytes(tone(2))
    return path


def model_states(client: httpx.Client) -> set[str]:
    return {model["state"] for model in client.get("/v1/models/status").json()["models"]}


def wait_for(condition: Any, what: str) -> None:
    end = time.monotonic() + SLOW
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_cold_then_warm_then_cold_again(client: httpx.Client, recording: Path) -> None:
    """loading_weights shows exactly when a model is loaded: first, not when warm, and again after scale to zero."""
    wait_for(lambda: model_states(client) == {"cold"}, "the models are not cold at start")
    states, job = run_job(client, recording)
    assert states == ["queued", "loading_weights", "processing_inference", "completed"]
    assert job["result"]["assessment"]["model"] == "fake-assessor"
    assert model_states(client) == {"warm"}

    states, _ = run_job(client, recording)
    assert states == ["queued", "processing_inference", "completed"]

    wait_for(lambda: model_states(client) == {"cold"}, "the models did not scale to zero")
    states, _ = run_job(client, recording)
    assert states == ["queued", "loading_weights", "processing_inference", "completed"]


def test_a_killed_model_process_costs_an_attempt_not_the_job(client: httpx.Client, recording: Path) -> None:
    """The job completes after the replica was killed with SIGKILL in the middle of it."""
    run_job(client, recording)
    with recording.open("rb") as file:
        urls = client.post("/v1/recruitscreen/jobs", data={"role_title": "Engineer"}, files={"file": file}).json()
    killed, states = False, []
    for name, data in events(client, urls["events_url"]):
        if name == "status":
            states.append(data["status"])
        if data["status"] == "processing_inference" and not killed:
            killed = kill_replica("Assessor")
    assert killed
    assert states[-1] == "completed"
    assert client.get(urls["status_url"]).json()["credits_charged"] == 1


def kill_replica(deployment: str) -> bool:
    """SIGKILL the processes of a deployment's replicas; whether there were any."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"ServeReplica:recruitscreen:{deployment}" in part for part in process.info["cmdline"] or [])
    ]
    for process in found:
        process.kill()
    return bool(found)


def test_the_api_answers_while_many_streams_are_open(client: httpx.Client, tmp_path: Path) -> None:
    """With two hundred open event streams the API answers within a second."""
    path = tmp_path / "long.wav"
    path.write_bytes(tone(20))
    with path.open("rb") as file:
        urls = client.post("/v1/recruitscreen/jobs", data={"role_title": "Engineer"}, files={"file": file}).json()
    with ExitStack() as streams:
        for _ in range(200):
            assert streams.enter_context(client.stream("GET", urls["events_url"])).status_code == 200
        began = time.monotonic()
        for _ in range(5):
            assert client.get("/v1/models/status").status_code == 200
        assert time.monotonic() - began < 5 * 1.0


def test_two_products_share_one_warm_process_per_role(client: httpx.Client, recording: Path) -> None:
    """Submitted at once, cold or warm: both complete, and there never is a second process of a role."""

    def submit(product: str) -> dict[str, str]:
        with recording.open("rb") as file:
            form = {"data": {"role_title": "Engineer"}, "files": {"file": file}}
            answer: dict[str, str] = client.post(f"/v1/{product}/jobs", **form).json()
        return answer

    with ThreadPoolExecutor(2) as threads:
        jobs = list(threads.map(submit, ("recruitscreen", SECOND_PRODUCT)))
    most = 0
    for urls in jobs:
        for name, data in events(client, urls["events_url"]):
            most = max(most, *(len(processes("recruitscreen", name)) for name in ("ASR", "Diarizer", "Assessor")))
            last = data["status"] if name == "status" else None
        assert last == "completed"
    assert most == 1
