"""Recordings that failed once, through the running stack with fake models: each ends right, or is refused clearly.

The files are not in the repository. They lie in `shared/cases` beside it, in folders that begin with a number.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.launcher.embedded import free_port
from scripts.launcher.first_account import first_key
from scripts.launcher.stack import Options, Stack
from tests.support.sse import events
from tests.support.world import ROOT

CASES = ROOT.parent / "shared" / "cases"
MEDIA = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".asf", ".au", ".avi", ".caf", ".eac3", ".flac", ".flv"),
        *(".m4a", ".mka", ".mkv", ".mov", ".mp3", ".mp4", ".mpg", ".oga", ".ogg", ".opus", ".spx", ".ts", ".w64"),
        *(".wav", ".webm", ".wma", ".wmv"),
    )
)
LENGTHS_S = {
    "aac.asf": 5.0,
    "aac.avi": 5.0,
    "aac.wav": 5.0,
    "sp.wav": 5.0,
    "cam.avi": 5.0,
    "e.avi": 5.0,
    "vorbis.avi": 5.0,
    "tag_a9.m4a": 5.2,
    "s5.ogg": 5.0,
    "obs_first_silent.mp4": 21.0,
    "g722.wav": 21.0,
    "g726.wav": 21.0,
}
"""What players show. Files that are not named here are held to the general rules only."""
LONGEST_S = 600.0
"""No case is longer: more is the length of a broken clock."""
LEFT_OUT = {"obs_first_silent.mp4": {1: "silent"}}
REFUSED = frozenset(("media_unreadable", "media_too_short", "media_too_long", "media_encrypted", "no_audio_track"))


def media_files() -> list[Path]:
    """All recordings among the cases."""
    return sorted(path for path in CASES.glob("*/*") if path.suffix.lower() in MEDIA)


pytestmark = pytest.mark.skipif(not media_files(), reason="the folder shared/cases with its recordings is not here")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A customer's client of a stack with fake models."""
    folder = tmp_path_factory.mktemp("cases")
    options = Options(folder, free_port(), free_port(), profile="fake", environment={"RATE_LIMIT": "100000/minute"})
    with Stack(options, say=lambda _: None) as stack:
        key = first_key(stack.environment["DATABASE_URL"], folder / "quickstart.json")
        with httpx.Client(base_url=stack.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:
            yield client


def post(client: httpx.Client, path: str, recording: Path) -> httpx.Response:
    """Send a recording."""
    with recording.open("rb") as file:
        return client.post(f"/v1/recruitscreen/{path}", data={"role_title": "Developer"}, files={"file": file})


@pytest.mark.parametrize("recording", media_files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_recording_ends_right(client: httpx.Client, recording: Path) -> None:
    """The quote, the charge and the result agree on a length that can be; a refusal is a 422 with its own code."""
    quote, answer = post(client, "quote", recording), post(client, "jobs", recording)
    if quote.status_code != 200:
        error, refusal = quote.json()["detail"], answer.json()["detail"]
        assert (quote.status_code, answer.status_code, refusal["error"]) == (422, 422, error["error"])
        assert error["error"] in REFUSED, error
        assert recording.name not in LENGTHS_S, error["message"]
        return
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    list(events(client, accepted["events_url"]))
    job: dict[str, Any] = client.get(accepted["status_url"]).json()
    assert job["status"] == "completed", job
    assert accepted["credits_charged"] == quote.json()["credits"]
    expected_s, length_s = LENGTHS_S.get(recording.name), job["result"]["duration_s"]
    assert length_s == pytest.approx(quote.json()["duration_s"], abs=0.1)
    assert length_s < LONGEST_S
    assert accepted["credits_charged"] <= math.ceil(length_s / 60)
    if expected_s:
        assert length_s == pytest.approx(expected_s, abs=0.3)
        assert job["result"]["input"]["warnings"] == []
    left_out = {track["track"]: track["reason"] for track in job["result"]["input"]["tracks"] if not track["used"]}
    assert left_out == LEFT_OUT.get(recording.name, left_out)
    assert len(left_out) < len(job["result"]["input"]["tracks"])
