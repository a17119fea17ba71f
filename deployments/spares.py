"""A process in waiting for every model that was scaled to zero.

A replica that leaves has the Ray node it ran on start its successor: a worker of the same runtime environment that no
actor has joined yet. Its libraries are imported (`preloaded.py`), it holds no weights and no GPU, and Ray puts the next
replica into it. A start from zero then costs neither the start of a process nor the imports.

`PrestartWorkers` is a service of every Ray node without a public Python call. Where it is missing a warning says so,
and replicas start as they would without it.
"""

import asyncio
import logging
import os
from importlib.metadata import version
from typing import Any, cast

import psutil
import ray
from ray import serve
from ray._private.grpc_utils import init_grpc_channel
from ray._private.utils import get_runtime_env_info
from ray._private.worker import global_worker
from ray.core.generated.common_pb2 import PYTHON
from ray.core.generated.node_manager_pb2 import PrestartWorkersRequest
from ray.core.generated.node_manager_pb2_grpc import NodeManagerServiceStub
from ray.serve.schema import ApplicationStatus

from deployments.preloaded import PRELOADS, own_environment

KEPT_S = 24 * 3600
"""Ray keeps an idle worker at least so long."""
PATIENCE_S = 5.0
log = logging.getLogger(__name__)


def waiting_for(backend: str) -> dict[str, Any]:
    """The runtime environment of replicas that leave a successor. Versions of this package do not share one."""
    return {"env_vars": {PRELOADS: f"{backend} {version('recruitscreen')}"}}


async def leave_successor() -> None:
    """Have a successor of this replica started, unless one is there or the application is going. Never raises."""
    if PRELOADS not in os.environ:
        return
    try:
        await asyncio.wait_for(asyncio.to_thread(_leave_successor), 2 * PATIENCE_S)
    except Exception as error:  # noqa: BLE001 — Ray's, gRPC's and Serve's errors share no base class
        log.warning("no process waits for the next start from zero, it will be slower: %r", error)


def _leave_successor() -> None:
    if _has_successor() or not _stays(serve.get_replica_context().app_name):
        return
    context, node = ray.get_runtime_context(), cast("Any", global_worker.node)
    request = PrestartWorkersRequest(
        language=PYTHON,
        num_workers=1,
        job_id=bytes.fromhex(context.get_job_id()),
        runtime_env_info=get_runtime_env_info(context.runtime_env),
        keep_alive_duration_secs=KEPT_S,
    )
    with init_grpc_channel(f"{node.node_ip_address}:{node.node_manager_port}") as channel:
        NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=PATIENCE_S)


def _has_successor() -> bool:
    """Whether this node has a worker of this replica's runtime environment that no replica is in yet."""
    raylet = psutil.Process(os.getppid())
    return any(own_environment() in " ".join(worker.cmdline()) for worker in raylet.children())


def _stays(application: str) -> bool:
    """Whether the application is there to come back to."""
    known = serve.status().applications.get(application)
    return known is not None and known.status is not ApplicationStatus.DELETING
