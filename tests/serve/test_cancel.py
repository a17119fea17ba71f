"""A job canceled over HTTP while its models work, on the running stack."""

import io
import time
import wave

import httpx
import pytest

from tests.serve.pool_calls import wait_for
from tests.support.sse import events
from tests.support.world import tone

LONG_S = 1200
"""Seconds of a recording that the fakes work on for a minute."""


@pytest.fixture
def running(client: httpx.Client) -> str:
    """The id of a job whose transcription and diarization have a minute to go."""
    files = {"file": ("long.wav", silence(LONG_S), "audio/wav")}
    job_id = str(client.post("/v1/recruitscreen/jobs", data={"role_title": "x"}, files=files).json()["job_id"])
    for _, data in events(client, f"/v1/jobs/{job_id}/events"):
        if data["status"] == "processing_inference" and {"asr", "diarizer"} <= at_work(client).keys():
            return job_id
    raise AssertionError("the job was over before both models worked")


def test_a_cancel_ends_job_and_work_within_two_seconds(client: httpx.Client, running: str) -> None:
    """The event streams end, the job reads canceled, both replicas stop, and serve the next job at once."""
    began = time.monotonic()
    assert client.post(f"/v1/jobs/{running}/cancel").json()["status"] == "canceled"
    name, last = list(events(client, f"/v1/jobs/{running}/events"))[-1]
    assert (name, last["status"], last["terminal"]) == ("status", "canceled", True)
    assert client.get(f"/v1/jobs/{running}").json()["status"] == "canceled"
    wait_for(lambda: at_work(client) == {}, "the replicas work on for a canceled job", within_s=2)
    assert time.monotonic() - began < 2

    files = {"file": ("call.wav", tone(1), "audio/wav")}
    job_id = client.post("/v1/recruitscreen/jobs", data={"role_title": "x"}, files=files).json()["job_id"]
    assert client.get(f"/v1/jobs/{job_id}?wait=10", timeout=30).json()["status"] == "completed"


def at_work(client: httpx.Client) -> dict[str, int]:
    """Calls in flight by role, where there are any, as the replicas report them."""
    models = client.get("/v1/models/status").json()["models"]
    return {model["role"]: model["in_flight"] for model in models if model["in_flight"]}


def silence(seconds: int) -> bytes:
    """A silent WAV file at the lowest sample rate."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(8000)
        out.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()
