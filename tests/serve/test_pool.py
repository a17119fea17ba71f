"""The pool on a real Ray: room for two of three models, processes that come, go, and are killed."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve_app.pipeline.transcribe_parts import MIN_PART_S
from tests.serve.conftest import SIZE_MIB
from tests.serve.pool_calls import Pool, processes, wait_for

COLD = ["loading", "inference", "result"]
WARM = ["inference", "result"]
DEPLOYMENTS = {"asr": "ASR", "diarizer": "Diarizer", "assessor": "Assessor"}
RECORDINGS = 5
RACES = 7
"""Rounds of three calls at once: 21 races in the suite; the benchmark runs 100."""


def test_an_idle_model_leaves_for_the_one_that_is_needed(pressed: Pool) -> None:
    """Three models, room for two: the least recently used one is evicted, its process stays, and it can load again."""
    assert pressed.call("asr") == COLD
    assert pressed.call("diarizer") == COLD
    asr = processes("pressed", "ASR")
    assert pressed.call("assessor") == COLD
    assert [pressed.model(role)["state"] for role in DEPLOYMENTS] == ["cold", "warm", "warm"]
    assert processes("pressed", "ASR") == asr
    assert pressed.call("diarizer") == WARM
    assert pressed.call("asr") == COLD
    assert [pressed.model(role)["state"] for role in DEPLOYMENTS] == ["warm", "warm", "cold"]


def test_the_status_page_tells_what_was_measured(pressed: Pool) -> None:
    """Footprints, speeds and the device's memory are measurements."""
    pressed.call("assessor")
    model = pressed.model("assessor")
    assert SIZE_MIB <= model["footprint_mib"] <= SIZE_MIB + 60
    assert (model["device"], model["replicas"]) == ("cpu", 1)
    assert 0.4 <= model["load_s_p50"] <= model["load_s_p95"]
    assert model["load_bytes_per_s"] > 0
    assert model["last_used_at"]
    device = pressed.status()["devices"][0]
    assert SIZE_MIB < device["held_mib"] <= device["budget_mib"]
    assert 0 < device["free_mib"] < device["total_mib"]


def test_busy_models_are_never_evicted(pressed: Pool) -> None:
    """Two busy models fill the memory: the third fails with vram_unavailable, and is served when they are done."""
    busy = [pressed.start("asr"), pressed.start("diarizer")]
    wait_for(lambda: all(pressed.model(role)["in_flight"] for role in ("asr", "diarizer")), "they do not work")
    pressed.until("asr", "warm")
    pressed.until("diarizer", "warm")
    assert pressed.call("assessor")[-1] == "vram_unavailable"
    assert [call.result()[-1] for call in busy] == ["result", "result"]
    assert pressed.call("assessor") == COLD


@pytest.mark.parametrize(("failure", "code"), [("oom", "vram_unavailable"), ("broken", "weights_unavailable")])
def test_a_load_that_fails_leaves_the_deployment_healthy(pressed: Pool, folder: Path, failure: str, code: str) -> None:
    """The call fails with its code, the process stays, the next call is served."""
    make_cold(pressed, "assessor")
    before = processes("pressed", "Assessor")
    flag = folder / "fail-assessor"
    flag.write_text(failure)
    assert pressed.call("assessor")[-1] == code
    flag.unlink()
    # on an overloaded machine an eviction may take longer than this pool's deadline of 1.5 s
    wait_for(lambda: pressed.call("assessor") == COLD, "the deployment did not recover", within_s=15)
    assert processes("pressed", "Assessor") == before


def make_cold(pool: Pool, role: str) -> None:
    """Use the other two, so that `role` is evicted."""
    calls = [pool.start(other) for other in DEPLOYMENTS if other != role]
    assert [call.result()[-1] for call in calls] == ["result", "result"]
    pool.until(role, "cold", within_s=5)


@pytest.mark.parametrize("moment", ["loading", "inference"])
def test_a_killed_process_is_cold_within_seconds_and_replaced(pressed: Pool, moment: str) -> None:
    """Its call ends `interrupted`, its memory is free at once, the status shows it, and the next call is served."""
    if moment == "loading":
        make_cold(pressed, "asr")
    seen = []
    for event in pressed.events("asr"):
        seen.append(event.get("code", event["event"]))
        if event["event"] == moment and seen.count(moment) == 1:
            pressed.kill("ASR")
    assert seen[-1] == "interrupted"
    pressed.until("asr", "cold", within_s=7)
    wait_for(lambda: pressed.call("asr")[-1] == "result", "the pool did not recover")


def test_what_ray_cannot_place_fails_in_time(unplaceable: Pool) -> None:
    """A call fails at the placement deadline, where Ray would wait for ever, and the status gives the reason."""
    began = time.monotonic()
    assert unplaceable.call("asr") == ["vram_unavailable"]
    assert 3.5 < time.monotonic() - began < 8
    assert unplaceable.call("asr") == ["vram_unavailable"]
    wait_for(lambda: unplaceable.status()["degraded"], "the status is not degraded", within_s=30)
    assert "ASR has waited" in unplaceable.status()["reason"]


def test_the_parts_of_a_recording_go_to_replicas_of_their_own(parted: Pool) -> None:
    """The first recording makes Serve start a second replica; of each later one every replica has a part.

    Several, since parts that are sent at once go to the same replica only every other time.
    """
    parted.call("asr", seconds=2 * MIN_PART_S)
    wait_for(lambda: parted.model("asr")["replicas"] == 2, "no second replica")
    for _ in range(RECORDINGS):
        call = parted.start("asr", seconds=2 * MIN_PART_S)
        wait_for(lambda: at_work(parted) == [1, 1], "one replica has both parts", within_s=5)
        assert call.result()[-1] == "result"


def at_work(pool: Pool) -> list[int]:
    """Calls in flight of each replica of the transcriber."""
    return [replica["in_flight"] for replica in pool.model("asr")["instances"]]


def test_calls_that_meet_a_process_on_its_way_out_are_served(racing: Pool) -> None:
    """No call at the moment of scale to zero fails."""
    with ThreadPoolExecutor(3) as threads:
        rounds = list(threads.map(lambda role: [race(racing, role, n) for n in range(RACES)], DEPLOYMENTS))
    found = [events for calls in rounds for events in calls]
    assert {tuple(events) for events in found} <= {tuple(COLD), tuple(WARM)}
    assert COLD in found


def race(pool: Pool, role: str, nth: int) -> list[str]:
    """One call, so long after the last that the process is about to end, ending or gone."""
    events = pool.call(role)
    time.sleep(1.0 + nth % 5 * 0.3)
    return events
