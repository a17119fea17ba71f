"""What the status page calls degraded, and why."""

from datetime import UTC, datetime, timedelta

import pytest

from serve_app.model_pool import health
from serve_app.model_pool.models import ModelReplica, ModelState, ServeDeployment

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def deployment(name: str = "app/ASR", **values: object) -> ServeDeployment:
    given = {"status": "HEALTHY", "polled_at": ago(1), "starting_since": None} | values
    return ServeDeployment(name=name, **given)


def replica(**values: object) -> ModelReplica:
    given = {"replica_id": "asr-1", "role": "asr", "name": "fake", "state": ModelState.COLD, "device": "cpu"} | values
    return ModelReplica(**given)


def test_a_pool_at_rest_is_not_degraded() -> None:
    """Cold models and fast starts are no defects."""
    assert health.reasons(NOW, [deployment()], [], cold_start_s=2.6) == []


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (deployment(status="UNHEALTHY"), "ASR is UNHEALTHY"),
        (deployment(starting=1, starting_since=ago(40)), "ASR has waited 40 s"),
        (deployment(polled_at=ago(60)), "nothing was heard from Serve"),
        (deployment(running=1), "ASR runs but does not report"),
    ],
)
def test_what_serve_says_is_passed_on(row: ServeDeployment, word: str) -> None:
    """In words that name the deployment."""
    [reason] = health.reasons(NOW, [row], [])
    assert word in reason


def test_a_wait_for_memory_is_named() -> None:
    """By role, once it is longer than an unload takes."""
    assert health.reasons(NOW, [], [replica(room_wanted_at=ago(2))]) == []
    assert health.reasons(NOW, [], [replica(room_wanted_at=ago(9))]) == ["asr has waited 9 s for memory"]


def test_a_slow_start_from_zero_is_named() -> None:
    """Serve's default intervals cost 9 to 14 s; if they came back with an upgrade, this is where it would be seen."""
    [reason] = health.reasons(NOW, [], [], cold_start_s=9.4)
    assert "9 s to start a process" in reason
