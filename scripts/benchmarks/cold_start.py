"""Overhead of a cold start: the same models loaded in a bare process and behind Serve, in one run."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from deployments.profiles import load_profile
from deployments.replica.prestart import TITLE
from scripts.launcher.stack import Stack, ray_environment
from serve_app.pipeline.types import ROLES, ModelRole
from serve_app.settings import ROOT

DEPLOYMENTS: dict[ModelRole, str] = {"asr": "ASR", "diarizer": "Diarizer", "assessor": "Assessor"}
UNLOADING = "unloading"
"""The application that unloads weights quickly and keeps its processes."""
LEAVING = "leaving"
"""The application that scales to zero quickly."""
RACING = "racing"
"""The application of fakes that scales to zero at once."""
SLOW_S = 120.0

BARE = """
import sys, time
from deployments.profiles import load_profile
began = time.monotonic()
backend = getattr(load_profile(sys.argv[1]), sys.argv[2]).build()
backend.load(lambda *_: None)
first, loads = time.monotonic() - began, []
for _ in range(int(sys.argv[3])):
    backend.unload()
    began = time.monotonic()
    backend.load(lambda *_: None)
    loads.append(time.monotonic() - began)
print(first, *loads)
"""


def bare_loads(profile: str, role: ModelRole, rounds: int) -> tuple[float, list[float]]:
    """Seconds of the first load, imports included, and of `rounds` loads of the weights alone, in a bare process."""
    command = [sys.executable, "-c", BARE, profile, role, str(rounds)]
    ran = subprocess.run(
        command, cwd=ROOT, env=ray_environment({}), capture_output=True, text=True, check=True, timeout=600
    )
    first, *loads = (float(word) for word in ran.stdout.split()[-rounds - 1 :])
    return first, loads


def applications(config: dict[str, Any], profiles: dict[str, str], databases: dict[str, str]) -> dict[str, Any]:
    """`config` with the bare pools beside the product. They keep its autoscaling but for the idle times."""
    product = config["applications"][0]
    times = {UNLOADING: (3600.0, 0.5), LEAVING: (1.0, None), RACING: (0.2, None)}
    for name, (to_zero_s, unload_after_s) in times.items():
        deployments = [
            {**given, "autoscaling_config": given["autoscaling_config"] | {"downscale_to_zero_delay_s": to_zero_s}}
            for given in product["deployments"]
            if given["name"] in DEPLOYMENTS.values()
        ]
        config["applications"].append({
            "name": name,
            "route_prefix": f"/{name}",
            "import_path": "scripts.benchmarks.pool_driver:build",
            "runtime_env": {"env_vars": {"DATABASE_URL": databases[name]}},
            "args": {"profile": profiles[name], "unload_after_s": unload_after_s},
            "deployments": deployments,
        })  # fmt: skip
    return config


def unplaced(profile: str, path: Path) -> Path:
    """A copy of a profile that books no GPU fractions, so that two pools of it fit beside each other."""
    spec = load_profile(profile).model_dump(mode="json")
    for role in ROLES:
        spec[role]["num_gpus"] = 0
    path.write_text(json.dumps(spec), "utf-8")  # JSON is YAML
    return path


def seconds_to_warm(stack: Stack, application: str, role: ModelRole) -> float:
    """Seconds from a call to a model until its weights are there, at the caller's handle."""
    url, query = f"{stack.base_url}/{application}/calls", {"role": role, "warm": True}
    answer = httpx.get(url, params=query, timeout=SLOW_S).raise_for_status()
    last: dict[str, Any] = json.loads(answer.text.splitlines()[-1])
    assert last["event"] == "result", last
    return float(last["at"])


def weights_cold(stack: Stack, role: ModelRole, rounds: int) -> list[float]:
    """Seconds until a model is warm that was unloaded in a living process."""
    seconds_to_warm(stack, UNLOADING, role)
    return [_after(lambda: _state(stack, role) == "cold", stack, UNLOADING, role) for _ in range(rounds)]


def first_start(stack: Stack, role: ModelRole) -> float:
    """Seconds until a model is warm that never had a process and has no prestarted worker."""
    assert not any(_processes(role)), f"{role} was started before"
    return seconds_to_warm(stack, LEAVING, role)


def process_cold(stack: Stack, role: ModelRole, backend: str, rounds: int) -> list[float]:
    """Seconds until a model is warm that was scaled to zero and has a prestarted worker."""

    def scaled_to_zero() -> bool:
        return not any(_processes(role)) and any(map(_idle, named(f"{TITLE} {backend}")))

    return [_after(scaled_to_zero, stack, LEAVING, role) for _ in range(rounds)]


def _idle(process: psutil.Process) -> bool:
    return float(process.cpu_percent(interval=1.0)) < 10


def measure(stack: Stack, profile: str, rounds: int) -> dict[str, Any]:
    """Overheads by role, each against the median of bare weight loads measured right before and after."""
    roles = {}
    for role in ROLES:
        backend = getattr(load_profile(profile), role).backend
        bare_process, before = bare_loads(profile, role, rounds)
        first, in_place = first_start(stack, role), weights_cold(stack, role, rounds)
        from_zero = process_cold(stack, role, backend, rounds)
        _, after = bare_loads(profile, role, rounds)
        weights_s = statistics.median(before + after)
        roles[role] = {
            "bare_weights_s": weights_s,
            "bare_process_s": bare_process,
            "weights_cold_s": statistics.median(in_place),
            "process_cold_s": statistics.median(from_zero),
            "weights_cold_overhead_s": statistics.median(in_place) - weights_s,
            "cold_start_overhead_s": statistics.median(from_zero) - weights_s,
            "first_start_overhead_s": first - weights_s,
        }
    worst = {key: max(role[key] for role in roles.values()) for key in OVERHEADS}
    return {**worst, "roles": roles, "rounds": rounds}


OVERHEADS = ("cold_start_overhead_s", "weights_cold_overhead_s", "first_start_overhead_s")


def _after(cold: Callable[[], bool], stack: Stack, application: str, role: ModelRole) -> float:
    end = time.monotonic() + SLOW_S
    while not cold():
        assert time.monotonic() < end, f"{role} did not become cold"
        time.sleep(0.1)
    time.sleep(1.0)  # let Serve finish: a call that meets an ending replica is another measurement
    return seconds_to_warm(stack, application, role)


def _state(stack: Stack, role: ModelRole) -> str:
    models = httpx.get(f"{stack.base_url}/{UNLOADING}/status", timeout=30).json()["models"]
    return str(next(model["state"] for model in models if model["role"] == role))


def _processes(role: ModelRole) -> Iterator[psutil.Process]:
    return replicas(LEAVING, DEPLOYMENTS[role])


def replicas(application: str, deployment: str) -> Iterator[psutil.Process]:
    """The processes of a deployment's replicas."""
    return named(f"ServeReplica:{application}:{deployment}")


def named(title: str) -> Iterator[psutil.Process]:
    """Processes of Ray actors by title."""
    for process in psutil.process_iter(["cmdline"]):
        if any(title in part for part in process.info["cmdline"] or []):
            yield process


def races(stack: Stack, rounds: int) -> dict[str, int]:
    """Calls at the moment of scale to zero: how many failed, and how many started a process."""

    def run(role: ModelRole) -> list[list[str]]:
        return [_race(stack, role, nth) for nth in range(rounds // len(ROLES))]

    with ThreadPoolExecutor(len(ROLES)) as threads:
        calls = [events for found in threads.map(run, ROLES) for events in found]
    failed = sum(events[-1] != "result" for events in calls)
    return {"race_rounds": len(calls), "race_failures": failed, "race_cold": sum("loading" in e for e in calls)}


def _race(stack: Stack, role: ModelRole, nth: int) -> list[str]:
    answer = httpx.get(f"{stack.base_url}/{RACING}/calls", params={"role": role}, timeout=SLOW_S).raise_for_status()
    time.sleep(1.0 + nth % 7 * 0.25)  # Serve ends the process 1.3 to 2 s after its last call
    return [str(json.loads(line)["event"]) for line in answer.text.splitlines()]


def fakes(path: Path, work_s: float) -> Path:
    """A profile of fakes whose work takes so long."""
    kinds: dict[ModelRole, str] = {"asr": "fake_transcriber", "diarizer": "fake_diarizer", "assessor": "fake_assessor"}
    spec = {
        role: {"backend": kind, "name": f"fake-{role}", "footprint_mib": 1, "options": {"work_s": work_s}}
        for role, kind in kinds.items()
    }
    path.write_text(json.dumps(spec), "utf-8")
    return path
