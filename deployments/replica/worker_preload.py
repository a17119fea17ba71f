"""What Ray imports in every worker process (`RAY_preload_python_modules`), before it knows what the process is for.

In a process for a model's replicas the import of the model's library begins here, in a thread. Others do nothing.
"""

import os
from threading import Thread

from deployments.backends import PRELOADS, preload

TITLE = "ray::SPARE"
"""How such a process is called in `ps` and the Ray dashboard until a replica is put into it."""


def _begin(backend: str) -> None:
    from ray._raylet import setproctitle  # type: ignore[attr-defined]  # noqa: PLC0415 — only in a worker of Ray

    setproctitle(f"{TITLE} {backend}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what Ray sets for replicas that book no CPU; the import reads it
    Thread(target=preload, args=(backend,), name="preload", daemon=True).start()


if PRELOADS in os.environ:
    _begin(os.environ[PRELOADS].split()[0])
