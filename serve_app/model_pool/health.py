"""Why the pool is degraded: one sentence per reason, from rows alone."""

from collections.abc import Sequence
from datetime import datetime

from serve_app.model_pool.models import ModelReplica, ServeDeployment
from serve_app.pipeline.types import ROLES

POLL_STALE_S = 10
"""Serve is polled every 2 s."""
POLL_FORGOTTEN_S = 3600
"""A deployment not reported for this long was removed, alone or with its application."""
START_LATE_S = 15
"""A replica's process starts in 2 to 3 s on an idle machine."""
MEMORY_LATE_S = 5
WITHOUT_REDIS = "Redis does not answer: event streams are slower, and requests are not limited"
GOOD = frozenset({"HEALTHY", "UPDATING", "UPSCALING", "DOWNSCALING"})


def reasons(
    now: datetime,
    deployments: Sequence[ServeDeployment],
    replicas: Sequence[ModelReplica],
) -> list[str]:
    """Why the pool is degraded; empty when it is not. `replicas` are those with a fresh heartbeat."""
    known = [row for row in deployments if (now - row.polled_at).total_seconds() < POLL_FORGOTTEN_S]
    fresh = [row for row in known if (now - row.polled_at).total_seconds() < POLL_STALE_S]
    problems = [f"no report from Serve for {POLL_STALE_S} s"] if known and not fresh else []
    for row in sorted(fresh, key=lambda deployment: deployment.name):
        problems += _deployment_problems(now, row)
        problems += _unreported(row, replicas)
    return problems + _waits_for_memory(now, replicas)


def _deployment_problems(now: datetime, row: ServeDeployment) -> list[str]:
    name = row.name.rpartition("/")[2]
    if row.status not in GOOD:
        return [f"{name} is {row.status}"]
    waited_s = (now - row.starting_since).total_seconds() if row.starting_since else 0
    return [f"{name} has waited {waited_s:.0f} s for a replica to start"] if waited_s > START_LATE_S else []


def _unreported(row: ServeDeployment, replicas: Sequence[ModelReplica]) -> list[str]:
    """A deployment is named after its role: `ASR` for `asr`."""
    name = row.name.rpartition("/")[2]
    role = name.lower()
    reporting = sum(replica.role == role for replica in replicas)
    return [f"{name} runs but does not report"] if role in ROLES and row.running > reporting else []


def _waits_for_memory(now: datetime, replicas: Sequence[ModelReplica]) -> list[str]:
    """The longest wait of each role."""
    waits: dict[str, float] = {}
    for row in replicas:
        if row.memory_requested_at:
            waited_s = (now - row.memory_requested_at).total_seconds()
            waits[row.role] = max(waited_s, waits.get(row.role, 0.0))
    return [f"{role} has waited {waited:.0f} s for memory" for role, waited in waits.items() if waited > MEMORY_LATE_S]
