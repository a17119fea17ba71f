"""A process in waiting for every model that has none: what Ray's node starts ahead of the next replica.

It is a worker of the replica's runtime environment that no actor has joined yet. Its libraries are imported
(`preloaded.py`), it holds no weights and no GPU, and Ray puts the next replica into it: a start from zero then costs
neither the start of a process nor the imports. The executor has the first ones started; a replica that is scaled to
zero leaves its successor.

`PrestartWorkers` is a service of every Ray node without a public Python call. Where it is missing a warning says so,
and replicas start as they would without it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import psutil
import ray
from filelock import FileLock
from ray import serve
from ray._private.grpc_utils import init_grpc_channel
from ray._private.utils import get_runtime_env_info
from ray._private.worker import global_worker
from ray.core.generated.common_pb2 import PYTHON
from ray.core.generated.node_manager_pb2 import PrestartWorkersRequest
from ray.core.generated.node_manager_pb2_grpc import NodeManagerServiceStub
from ray.runtime_env import RuntimeEnv
from ray.serve.schema import ApplicationStatus

from deployments.backends import PRELOADS

KEPT_S = 24 * 3600
"""Ray keeps an idle worker at least so long."""
PATIENCE_S = 5.0
REPLICA = "ray::ServeReplica:"
log = logging.getLogger(__name__)


class PrestartSpec(NamedTuple):
    """A kind of process to have in waiting."""

    backend: str
    num_gpus: float
    """Booked by the replica, not by the process in waiting; a node that has less cannot take the replica."""

    @property
    def variables(self) -> dict[str, str]:
        """What sets such processes apart. Versions of this package do not share them."""
        return {PRELOADS: f"{self.backend} {version('recruitscreen')}"}


async def prepare(spares: Sequence[PrestartSpec]) -> None:
    """Start what is missing on this node, from a replica that books no GPU. Never raises."""
    await _try(lambda: _prepare(spares))


async def leave_successor() -> None:
    """Start a successor of this replica, unless one is there or the application is going. Never raises."""
    if PRELOADS in os.environ:
        await _try(_leave_successor)


async def _try(work: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(work)
    except Exception as error:  # noqa: BLE001 — Ray's, gRPC's and Serve's errors share no base class
        log.warning("no process waits for the next start from zero, which will be slower: %r", error)


def _prepare(spares: Sequence[PrestartSpec]) -> None:
    own = ray.get_runtime_context().runtime_env
    shared = {name: value for name, value in own.env_vars().items() if name != "CUDA_VISIBLE_DEVICES"}
    nodes: list[dict[str, Any]] = cast("Any", ray).nodes()
    gpus = next(node["Resources"].get("GPU", 0) for node in nodes if node["NodeID"] == _node_id())
    for spare in spares:
        variables = shared | spare.variables
        with _alone():
            if spare.num_gpus <= gpus and not _workers(variables):
                _start(RuntimeEnv(**{**own, "env_vars": variables}))


def _leave_successor() -> None:
    environment = ray.get_runtime_context().runtime_env
    with _alone():
        if not _waiting(environment.env_vars()) and _stays(serve.get_replica_context().app_name):
            _start(environment)


def _alone() -> FileLock:
    """Keeps others on this node from starting the same."""
    return FileLock(Path(_node().get_session_dir_path()) / "spares.lock", timeout=PATIENCE_S)


def _workers(variables: dict[str, str]) -> list[str]:
    """Titles of this node's workers that have these environment variables."""
    found = []
    for worker in psutil.Process(os.getppid()).children():
        with suppress(psutil.Error):  # it has ended since
            if variables.items() <= worker.environ().items():
                found.append(" ".join(worker.cmdline()))
    return found


def _waiting(variables: dict[str, str]) -> bool:
    return any(not title.startswith(REPLICA) for title in _workers(variables))


def _start(environment: RuntimeEnv) -> None:
    """Ask this node for one worker, and return when it is there."""
    request = PrestartWorkersRequest(
        language=PYTHON,
        num_workers=1,
        job_id=bytes.fromhex(ray.get_runtime_context().get_job_id()),
        runtime_env_info=get_runtime_env_info(environment),
        keep_alive_duration_secs=KEPT_S,
    )
    with init_grpc_channel(f"{_node().node_ip_address}:{_node().node_manager_port}") as channel:
        NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=PATIENCE_S)
    end = time.monotonic() + PATIENCE_S
    while not _waiting(environment.env_vars()) and time.monotonic() < end:
        time.sleep(0.05)


def _node() -> Any:
    return global_worker.node


def _node_id() -> str:
    return ray.get_runtime_context().get_node_id()


def _stays(application: str) -> bool:
    """Whether the application is there to come back to."""
    known = serve.status().applications.get(application)
    return known is not None and known.status is not ApplicationStatus.DELETING
