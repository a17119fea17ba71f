"""Prestarted workers for models without replicas, so that a start from zero pays for neither process nor imports.

A prestarted worker is an idle Ray worker process with the runtime environment of a model's replicas. It has imported
the model's library and holds no weights and no GPU. Ray places the next replica with this runtime environment in it.
The executor prestarts the first workers; a replica that is scaled to zero prestarts its successor.

Two sides use this module. Replicas call `prestart_workers` and `prestart_successor`. Ray imports the module in every
worker process (`RAY_preload_python_modules`) before it knows the worker's purpose; `preload_library` then starts the
import of the model's library if the environment names one, and does nothing otherwise. So this module must be cheap to
import: everything that costs time is imported inside functions.

`PrestartWorkers` is a gRPC service of every Ray node without a public Python call. Where it is missing a warning is
logged, and replicas start as they would without prestarted workers.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from deployments.backends import PRELOADS, preload

if TYPE_CHECKING:
    from filelock import FileLock
    from ray.runtime_env import RuntimeEnv

KEPT_S = 24 * 3600
"""Ray keeps an idle prestarted worker at least this long."""
TIMEOUT_S = 5.0
TITLE = "ray::PRESTARTED"
"""Process title of a prestarted worker in `ps` and in the Ray dashboard until a replica is placed in it."""
REPLICA_TITLE = "ray::ServeReplica:"
log = logging.getLogger(__name__)


class PrestartSpec(NamedTuple):
    """One kind of worker to prestart."""

    backend: str
    num_gpus: float
    """Booked by the replica, not by the prestarted worker. A node with fewer GPUs cannot take the replica."""

    @property
    def env_vars(self) -> dict[str, str]:
        """Environment variables that tell these workers apart, also from those of another version of this package."""
        from importlib.metadata import version  # noqa: PLC0415 — keeps the import in every worker cheap

        return {PRELOADS: f"{self.backend} {version('recruitscreen')}"}


# In a replica --------------------------------------------------------------------------------------------------------


async def prestart_workers(specs: Sequence[PrestartSpec]) -> None:
    """Start the missing workers on this node, from a replica that books no GPU. Never raises."""
    await _in_thread(lambda: _prestart_workers(specs))


async def prestart_successor() -> None:
    """Start a successor of this replica, unless one exists or the application is being deleted. Never raises."""
    if PRELOADS in os.environ:
        await _in_thread(_prestart_successor)


async def _in_thread(work: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(work)
    except Exception as error:  # noqa: BLE001 — Ray's, gRPC's and Serve's errors share no base class
        log.warning("no worker was prestarted, so the next start from zero is slower: %r", error)


def _prestart_workers(specs: Sequence[PrestartSpec]) -> None:
    import ray  # noqa: PLC0415 — keeps the import in every worker cheap
    from ray.runtime_env import RuntimeEnv  # noqa: PLC0415 — same

    own = ray.get_runtime_context().runtime_env
    shared = {name: value for name, value in own.env_vars().items() if name != "CUDA_VISIBLE_DEVICES"}
    nodes: list[dict[str, Any]] = cast("Any", ray).nodes()
    node_id = ray.get_runtime_context().get_node_id()
    gpus = next(node["Resources"].get("GPU", 0) for node in nodes if node["NodeID"] == node_id)
    for spec in specs:
        env_vars = shared | spec.env_vars
        with _node_lock():
            if spec.num_gpus <= gpus and not _worker_titles(env_vars):
                _start(RuntimeEnv(**{**own, "env_vars": env_vars}))


def _prestart_successor() -> None:
    import ray  # noqa: PLC0415 — keeps the import in every worker cheap
    from ray import serve  # noqa: PLC0415 — same

    environment = ray.get_runtime_context().runtime_env
    with _node_lock():
        if not _is_prestarted(environment.env_vars()) and _remains(serve.get_replica_context().app_name):
            _start(environment)


def _node_lock() -> "FileLock":
    """Prevents two processes on this node from starting the same worker."""
    from pathlib import Path  # noqa: PLC0415 — keeps the import in every worker cheap

    from filelock import FileLock  # noqa: PLC0415 — same

    return FileLock(Path(_node().get_session_dir_path()) / "prestart.lock", timeout=TIMEOUT_S)


def _worker_titles(env_vars: dict[str, str]) -> list[str]:
    """Process titles of this node's workers that have these environment variables."""
    import psutil  # noqa: PLC0415 — keeps the import in every worker cheap

    titles = []
    for worker in psutil.Process(os.getppid()).children():
        with suppress(psutil.Error):  # the process has ended
            if env_vars.items() <= worker.environ().items():
                titles.append(" ".join(worker.cmdline()))
    return titles


def _is_prestarted(env_vars: dict[str, str]) -> bool:
    return any(not title.startswith(REPLICA_TITLE) for title in _worker_titles(env_vars))


def _start(environment: "RuntimeEnv") -> None:
    """Ask this node for one worker, and return when its process exists."""
    import ray  # noqa: PLC0415 — keeps the import in every worker cheap
    from ray._private.grpc_utils import init_grpc_channel  # noqa: PLC0415 — same
    from ray._private.utils import get_runtime_env_info  # noqa: PLC0415 — same
    from ray.core.generated.common_pb2 import PYTHON  # noqa: PLC0415 — same
    from ray.core.generated.node_manager_pb2 import PrestartWorkersRequest  # noqa: PLC0415 — same
    from ray.core.generated.node_manager_pb2_grpc import NodeManagerServiceStub  # noqa: PLC0415 — same

    request = PrestartWorkersRequest(
        language=PYTHON,
        num_workers=1,
        job_id=bytes.fromhex(ray.get_runtime_context().get_job_id()),
        runtime_env_info=get_runtime_env_info(environment),
        keep_alive_duration_secs=KEPT_S,
    )
    with init_grpc_channel(f"{_node().node_ip_address}:{_node().node_manager_port}") as channel:
        NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=TIMEOUT_S)
    end = time.monotonic() + TIMEOUT_S
    while not _is_prestarted(environment.env_vars()) and time.monotonic() < end:
        time.sleep(0.05)


def _node() -> Any:
    from ray._private.worker import global_worker  # noqa: PLC0415 — keeps the import in every worker cheap

    return global_worker.node


def _remains(application: str) -> bool:
    """Whether the application stays, so that its models can be called again."""
    from ray import serve  # noqa: PLC0415 — keeps the import in every worker cheap
    from ray.serve.schema import ApplicationStatus  # noqa: PLC0415 — same

    known = serve.status().applications.get(application)
    return known is not None and known.status is not ApplicationStatus.DELETING


# In a prestarted worker ----------------------------------------------------------------------------------------------


def preload_library() -> None:
    """Set the process title and import the model's library in a thread, if this worker is for a model."""
    if PRELOADS not in os.environ:
        return
    from ray._raylet import setproctitle  # type: ignore[attr-defined]  # noqa: PLC0415 — exists only in a worker of Ray

    backend = os.environ[PRELOADS].split()[0]
    setproctitle(f"{TITLE} {backend}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # Ray sets this for replicas that book no CPU; the import reads it
    Thread(target=preload, args=(backend,), name="preload", daemon=True).start()


if any(argument.startswith("--worker-preload-modules") and __name__ in argument for argument in sys.argv):
    preload_library()  # Ray is preloading this module into a new worker; in a running replica it must not
