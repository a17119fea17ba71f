"""What is wrong with the pool, in words for whoever watches it. Pure: rows in, sentences out."""

from collections.abc import Sequence
from datetime import datetime

from serve_app.model_pool.models import ModelReplica, ServeDeployment
from serve_app.pipeline.types import ROLES

POLL_STALE_S = 10
"""Serve is polled every 2 s."""
POLL_FORGOTTEN_S = 3600
"""A deployment that has not been seen for so long was removed, or belongs to an application that was."""
START_LATE_S = 15
"""A replica's process starts in 2 to 3 s on an idle machine."""
ROOM_LATE_S = 5
COLD_START_LIMIT_S = 6.0
"""2 to 3 s are usual; 9 to 14 s mean that Serve ignores the intervals of serve_config.yaml."""
GOOD = frozenset({"HEALTHY", "UPDATING", "UPSCALING", "DOWNSCALING"})


def reasons(
    now: datetime,
    deployments: Sequence[ServeDeployment],
    replicas: Sequence[ModelReplica],
    cold_start_s: float | None = None,
) -> list[str]:
    """Why the pool is degraded; empty when it is not. `replicas` are those whose heartbeat is fresh."""
    known = [row for row in deployments if (now - row.polled_at).total_seconds() < POLL_FORGOTTEN_S]
    fresh = [row for row in known if (now - row.polled_at).total_seconds() < POLL_STALE_S]
    found = [f"nothing was heard from Serve for {POLL_STALE_S} s"] if known and not fresh else []
    for row in sorted(fresh, key=lambda deployment: deployment.name):
        found += _of_deployment(now, row)
        found += _silent(row, replicas)
    if cold_start_s is not None and cold_start_s > COLD_START_LIMIT_S:
        found.append(f"Serve needs {cold_start_s:.0f} s to start a process from zero, beyond any load")
    return found + _short_of_room(now, replicas)


def _of_deployment(now: datetime, row: ServeDeployment) -> list[str]:
    name = row.name.rpartition("/")[2]
    if row.status not in GOOD:
        return [f"{name} is {row.status}"]
    waited_s = (now - row.starting_since).total_seconds() if row.starting_since else 0
    return [f"{name} has waited {waited_s:.0f} s for a place to start"] if waited_s > START_LATE_S else []


def _silent(row: ServeDeployment, replicas: Sequence[ModelReplica]) -> list[str]:
    """A deployment of a model is called like its role, in capitals of its own."""
    name = row.name.rpartition("/")[2]
    role = name.lower()
    reporting = sum(replica.role == role for replica in replicas)
    return [f"{name} runs but does not report"] if role in ROLES and row.running > reporting else []


def _short_of_room(now: datetime, replicas: Sequence[ModelReplica]) -> list[str]:
    waits = {row.role: (now - row.room_wanted_at).total_seconds() for row in replicas if row.room_wanted_at}
    return [f"{role} has waited {waited:.0f} s for memory" for role, waited in waits.items() if waited > ROOM_LATE_S]
