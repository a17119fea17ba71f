"""One backend and the threads it works in. All methods but `submit` block: call them in a thread."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deployments.profiles import ModelSpec
from deployments.replica.memory import HostMeter, Meter, gpu_meter, release_memory

if TYPE_CHECKING:
    from deployments.backends import Backend

log = logging.getLogger(__name__)


class BackendWorker:
    """Builds, loads and unloads a backend."""

    def __init__(self, spec: ModelSpec, reserve_mib: int, thread_name: str) -> None:
        self.backend: Backend | None = None
        self.meter: Meter | None = None
        """Of the backend's device; None before `build`, and for a GPU that cannot be measured."""
        self.loaded_bytes = (0, 0)
        """Read so far, and in total."""
        self._spec, self._reserve_mib = spec, reserve_mib
        self._host = HostMeter()  # now, so that the growth it measures includes the library
        self._threads = ThreadPoolExecutor(max_workers=spec.at_once, thread_name_prefix=thread_name)

    @property
    def device(self) -> str:
        """`cpu` or `cuda:0`; `unknown` before `build`."""
        return self.backend.device if self.backend else "unknown"

    def submit(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Run `work` in a thread, after earlier work."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def build(self) -> None:
        """Create the backend. Imports the model library: seconds that would block health checks on the event loop."""
        if self.backend is None:
            self.backend = self._spec.build()
            device = self.backend.device
            self.meter = self._host if device == "cpu" else gpu_meter(device, self._reserve_mib)

    def load(self) -> None:
        """Load the weights. Raises what the backend raises."""
        assert self.backend is not None
        self.backend.load(self._on_bytes)

    def drop(self) -> None:
        """Unload the weights in any state of the backend. A backend that fails to unload is replaced by a new one."""
        try:
            if self.backend is not None:
                self.backend.unload()
        except Exception:
            log.exception("unloading %s failed", self._spec.name)
            self.backend = None
        release_memory()

    def close(self) -> None:
        """End the threads after their present work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _on_bytes(self, loaded: int, total: int) -> None:
        self.loaded_bytes = (loaded, total)
