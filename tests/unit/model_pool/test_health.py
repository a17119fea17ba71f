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
    """Cold models do not make the pool degraded."""
    assert health.reasons(NOW, [deployment()], []) == []


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (deployment(status="UNHEALTHY"), "ASR is UNHEALTHY"),
        (deployment(starting=1, starting_since=ago(40)), "ASR has waited 40 s"),
        (deployment(polled_at=ago(60)), "no report from Serve"),
        (deployment(running=1), "ASR runs but does not report"),
    ],
)
def test_what_serve_says_is_passed_on(row: ServeDeployment, word: str) -> None:
    """In words that name the deployment."""
    [reason] = health.reasons(NOW, [row], [])
    assert word in reason


def test_a_wait_for_memory_is_named() -> None:
    """By role, once it is longer than an unload takes."""
    assert health.reasons(NOW, [], [replica(memory_requested_at=ago(2))]) == []
    assert health.reasons(NOW, [], [replica(memory_requested_at=ago(9))]) == ["asr has waited 9 s for memory"]


def test_the_longest_wait_of_a_role_is_named() -> None:
    """A replica that has just begun to wait does not hide one that waits long, in either order."""
    waiting = [replica(memory_requested_at=ago(30)), replica(memory_requested_at=ago(1))]
    for replicas in (waiting, waiting[::-1]):
        assert health.reasons(NOW, [], replicas) == ["asr has waited 30 s for memory"]
