"""Memory meters: what a device has, and what this process holds of it.

`serve_app.model_pool.admission` decides on these measurements who may load.
"""

import ctypes
import gc
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
HOST_SHARE = 0.8
"""Share of the host's memory for models when no budget is set. The rest is for Ray, decoding and uploads."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """A device's memory, MiB."""

    total_mib: int
    free_mib: int


class Meter(Protocol):
    """Measures one device's memory and this process's share of it."""

    device_id: str
    """Node and device, unique in the cluster."""

    def held_mib(self) -> int:
        """What this process holds."""
        ...

    def memory(self) -> Memory:
        """Total and free memory of the device."""
        ...

    def default_budget_mib(self) -> int:
        """What models may take when no budget is set."""
        ...


class HostMeter:
    """RAM. Counts as held what the resident set has grown by since the meter was created."""

    def __init__(self) -> None:
        self.device_id = f"{socket.gethostname()}/cpu"
        self._at_start = resident_mib()

    def held_mib(self) -> int:
        """Resident growth: libraries and weights."""
        return max(0, resident_mib() - self._at_start)

    def memory(self) -> Memory:
        """The machine's memory, or the container's limit if that is lower."""
        machine = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo")}
        total, free = machine["MemTotal"], machine["MemAvailable"]
        limit, used = _cgroup("memory.max"), _cgroup("memory.current")
        if limit is None or used is None or limit >= total:
            return Memory(total, free)
        cache_mib = next((int(line.split()[1]) // MIB for line in _stat() if line.startswith("inactive_file ")), 0)
        return Memory(limit, max(0, min(free, limit - used + cache_mib)))

    def default_budget_mib(self) -> int:
        """`HOST_SHARE` of the total."""
        return int(self.memory().total_mib * HOST_SHARE)


class GpuMeter:
    """One NVIDIA GPU, measured by NVML.

    In a container with its own process ids NVML does not list this process. Then the growth of the whole GPU's use
    since the meter was created counts as held, which includes other processes that loaded at the same time.
    """

    def __init__(self, handle: Any, nvml: Any, reserve_mib: int) -> None:
        self._nvml, self._handle, self._reserve_mib = nvml, handle, reserve_mib
        self.device_id = f"{socket.gethostname()}/{nvml.nvmlDeviceGetUUID(handle)}"
        self._used_at_start = self._used_mib()

    def held_mib(self) -> int:
        """This process's memory, its CUDA context included."""
        for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory) // MIB
        return max(0, self._used_mib() - self._used_at_start)

    def memory(self) -> Memory:
        """Total and free memory of the GPU."""
        info = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        return Memory(int(info.total) // MIB, int(info.free) // MIB)

    def default_budget_mib(self) -> int:
        """All but the reserve."""
        return self.memory().total_mib - self._reserve_mib

    def _used_mib(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used) // MIB


def gpu_meter(device: str, reserve_mib: int) -> GpuMeter | None:
    """The meter of `cuda:N`, numbered as in this process. None, with a warning, if NVML is not available."""
    try:
        nvml = _nvml()
        number = int(device.partition(":")[2] or 0)
        visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        name = visible[number] if visible else str(number)
        by_index = name.isdecimal()
        handle = nvml.nvmlDeviceGetHandleByIndex(int(name)) if by_index else nvml.nvmlDeviceGetHandleByUUID(name)
        return GpuMeter(handle, nvml, reserve_mib)
    except Exception as error:  # noqa: BLE001 - no module, no driver or an unknown GPU: handled alike
        log.warning("%s cannot be measured, so its memory is not managed: %s", device, error)
        return None


@cache
def _nvml() -> Any:
    nvml = import_module("pynvml")  # from the extra `gpu`
    nvml.nvmlInit()
    return nvml


def resident_mib() -> int:
    """Resident set of this process in MiB, as Linux counts it."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE // MIB


def release_memory() -> None:
    """Collect garbage and return freed pages to the system. glibc would keep them, and they would count as held."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc has this call
        ctypes.CDLL(None).malloc_trim(0)


def _lines(path: str) -> list[str]:
    return Path(path).read_text("ascii").splitlines()


def _cgroup(name: str) -> int | None:
    with suppress(OSError, ValueError):  # no such file, or "max"
        return int(Path("/sys/fs/cgroup", name).read_text("ascii")) // MIB
    return None


def _stat() -> list[str]:
    with suppress(OSError):
        return _lines("/sys/fs/cgroup/memory.stat")
    return []
