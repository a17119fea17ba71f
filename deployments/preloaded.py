"""What Ray imports in every worker process (`RAY_preload_python_modules`), before it knows what the process is for.

In a process for a model's replicas the import of the model's library begins here, in a thread. Others do nothing.
"""

import os
import sys
from threading import Thread

PRELOADS = "RECRUITSCREEN_PRELOADS"
"""Set in the runtime environment of a model's replicas: its backend's name, and a version that keeps old code apart."""
TITLE = "ray::SPARE"
"""How such a process is called in `ps` and the Ray dashboard until a replica is put into it."""


def own_environment() -> str:
    """The word of this worker's command line that names its runtime environment; "" in a process of another kind."""
    return next((word for word in sys.argv if word.startswith("--runtime-env-hash=")), "")


def _begin(backend: str) -> None:
    from ray._raylet import setproctitle  # type: ignore[attr-defined]  # noqa: PLC0415 — only in a worker of Ray

    from deployments.backends import preload  # noqa: PLC0415

    setproctitle(f"{TITLE} {backend} {own_environment()}")
    Thread(target=preload, args=(backend,), name="preload", daemon=True).start()


if PRELOADS in os.environ and own_environment():
    _begin(os.environ[PRELOADS].split()[0])
