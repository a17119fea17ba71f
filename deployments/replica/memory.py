"""The memory ledger's arithmetic: what a device has, what this process takes of it, who may load and who must leave.

Nothing here talks to the database. `reports.py` holds the lock under which a decision is taken and written down.
"""

import ctypes
import gc
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
HOST_SHARE = 0.8
"""Part of the host's memory that models may take unless a budget is set; the rest is for Ray, decoding and uploads."""
log = logging.getLogger(__name__)


# What is asked and decided -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A load that asks for room, and the device it asks."""

    total_mib: int
    """What the process will hold once loaded."""
    held_mib: int
    """What it holds already, e.g. a CUDA context."""
    budget_mib: int
    free_mib: int
    """Free as the device itself says, other people's processes included."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Another process's entry on the device's ledger."""

    replica_id: str
    held_mib: int
    release_mib: int
    """What it would give back by unloading."""
    idle_since: datetime | None
    """None while it works, loads, or holds no weights: then it cannot be asked to leave."""
    leaving: bool = False
    """It was asked to leave and has not left yet."""


@dataclass(frozen=True, slots=True)
class Load:
    """There is room."""


@dataclass(frozen=True, slots=True)
class Evict:
    """There will be room once these have unloaded; empty when those that were asked already suffice."""

    replica_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """No room, and nobody who may be asked to leave."""

    short_mib: int


@dataclass(frozen=True, slots=True)
class TooBig:
    """It would not fit if everybody left."""


Verdict: TypeAlias = Load | Evict | Wait | TooBig


def decide(wanted: Wanted, others: Sequence[Holding], *, may_evict: bool) -> Verdict:
    """Whether a load may begin. Idle models leave least recently used first, and no more of them than needed."""
    if wanted.total_mib > wanted.budget_mib:
        return TooBig()
    on_ledger = wanted.budget_mib - sum(other.held_mib for other in others)
    short = wanted.total_mib - min(on_ledger, wanted.free_mib + wanted.held_mib)
    if short <= 0:
        return Load()
    if not may_evict:
        return Wait(short)
    short_still = short - sum(other.release_mib for other in others if other.leaving)
    victims = _least_recently_used(short_still, others)
    return Wait(short) if victims is None else Evict(victims)


def _least_recently_used(short_mib: int, others: Sequence[Holding]) -> tuple[str, ...] | None:
    """Who must leave to free `short_mib`; None when all idle ones together do not suffice."""
    idle = [other for other in others if other.idle_since and not other.leaving]
    idle.sort(key=lambda other: (other.idle_since, other.replica_id))
    chosen: list[Holding] = []
    while sum(other.release_mib for other in chosen) < short_mib:
        if not idle:
            return None
        chosen.append(idle.pop(0))
    for spared in reversed(chosen[:]):  # the last one may be so large that a more recent one can stay
        rest = [other for other in chosen if other is not spared]
        if sum(other.release_mib for other in rest) >= short_mib:
            chosen = rest
    return tuple(other.replica_id for other in chosen)


# What is measured ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """A device's memory, MiB."""

    total_mib: int
    free_mib: int


class Meter(Protocol):
    """Reads one device's memory and this process's part of it."""

    place: str
    """Which memory this is, unique among all nodes."""

    def held_mib(self) -> int:
        """What this process holds."""
        ...

    def memory(self) -> Memory:
        """What there is, and what is free for anybody."""
        ...

    def default_budget_mib(self) -> int:
        """What models may take when no budget is set."""
        ...


class HostMeter:
    """RAM. A process's part is what its resident set has grown by since the meter was made."""

    def __init__(self) -> None:
        self.place = f"{socket.gethostname()}/cpu"
        self._at_start = resident_mib()

    def held_mib(self) -> int:
        """Resident growth: libraries and weights."""
        return max(0, resident_mib() - self._at_start)

    def memory(self) -> Memory:
        """The machine's, or the container's where that is less."""
        machine = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo")}
        total, free = machine["MemTotal"], machine["MemAvailable"]
        limit, used = _cgroup("memory.max"), _cgroup("memory.current")
        if limit is None or used is None or limit >= total:
            return Memory(total, free)
        cache_mib = next((int(line.split()[1]) // MIB for line in _stat() if line.startswith("inactive_file ")), 0)
        return Memory(limit, max(0, min(free, limit - used + cache_mib)))

    def default_budget_mib(self) -> int:
        """Most of the memory there is."""
        return int(self.memory().total_mib * HOST_SHARE)


class GpuMeter:
    """One NVIDIA GPU as NVML sees it.

    In a container with its own process ids NVML does not list this process; then its part is taken as what the whole
    GPU's use has grown by since the meter was made, which also counts neighbours that loaded at the same time.
    """

    def __init__(self, handle: Any, nvml: Any, reserve_mib: int) -> None:
        self._nvml, self._handle, self._reserve_mib = nvml, handle, reserve_mib
        self.place = f"{socket.gethostname()}/{nvml.nvmlDeviceGetUUID(handle)}"
        self._used_at_start = self._used_mib()

    def held_mib(self) -> int:
        """This process's memory, its CUDA context included."""
        for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return int(process.usedGpuMemory) // MIB
        return max(0, self._used_mib() - self._used_at_start)

    def memory(self) -> Memory:
        """The whole GPU's."""
        info = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        return Memory(int(info.total) // MIB, int(info.free) // MIB)

    def default_budget_mib(self) -> int:
        """All but the reserve."""
        return self.memory().total_mib - self._reserve_mib

    def _used_mib(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used) // MIB


def gpu_meter(device: str, reserve_mib: int) -> GpuMeter | None:
    """The meter of `cuda:N` as this process numbers its GPUs; None, with a warning, where NVML is not to be had."""
    try:
        nvml = _nvml()
        number = int(device.partition(":")[2] or 0)
        visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        name = visible[number] if visible else str(number)
        by_index = name.isdecimal()
        handle = nvml.nvmlDeviceGetHandleByIndex(int(name)) if by_index else nvml.nvmlDeviceGetHandleByUUID(name)
        return GpuMeter(handle, nvml, reserve_mib)
    except Exception as error:  # noqa: BLE001 - a missing module, a missing driver, an unknown GPU: all the same here
        log.warning("%s cannot be measured, its memory is not managed: %s", device, error)
        return None


@cache
def _nvml() -> Any:
    nvml = import_module("pynvml")  # from the extra `gpu`
    nvml.nvmlInit()
    return nvml


def resident_mib() -> int:
    """Resident set of this process in MiB, as Linux counts it."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE // MIB


def give_memory_back() -> None:
    """Collect garbage and hand freed pages to the system; glibc keeps them otherwise and the process looks full."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library has no such call
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
