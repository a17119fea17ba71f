"""Checks on a real GPU what the tests check with logical GPUs: measured footprints, shared fractions, eviction.

It also checks that importing a model library does not touch the GPU: prestarted workers import libraries before Ray
assigns them a GPU.

Three models without weights allocate memory on the first GPU, with a budget for two. Without a GPU it prints `skipped`
and succeeds; `--rehearse` runs the same steps with main memory.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import yaml
from rich.console import Console

from deployments.replica.memory import gpu_meter
from scripts.launcher.embedded import free_port
from scripts.launcher.stack import Options, Stack
from serve_app.pipeline.types import ROLES, ModelRole
from serve_app.settings import ROOT

KINDS: dict[ModelRole, str] = {"asr": "fake_transcriber", "diarizer": "fake_diarizer", "assessor": "fake_assessor"}
FRACTIONS: dict[ModelRole, float] = {"asr": 0.25, "diarizer": 0.25, "assessor": 0.5}
MODELS = ("ASR", "Diarizer", "Assessor")
console = Console()


@dataclass(frozen=True)
class Sizes:
    """MiB that each model allocates, and MiB that its process needs besides (on a GPU: its context)."""

    hold: int
    besides: int

    @property
    def budget(self) -> int:
        """MiB for two loaded models and one process without weights, but not for three loaded models."""
        return 2 * (self.hold + self.besides) + self.besides


def check(
    *,
    rehearse: Annotated[bool, typer.Option(help="Run the same steps with main memory, without a GPU.")] = False,
) -> None:
    """Check the first GPU. The exit code is 1 if a check fails."""
    gpu = gpu_meter("cuda:0", 0)
    if gpu is None and not rehearse:
        console.print("skipped: this machine has no NVIDIA GPU that NVML can read.")
        return
    device, sizes = ("cuda:0", Sizes(2000, 700)) if gpu and not rehearse else ("cpu", Sizes(400, 60))
    console.print(f"{device}: three models of {sizes.hold} MiB, room for two ({sizes.budget} MiB).")
    with _pool(device, sizes) as pool:
        used = (lambda: gpu.memory().total_mib - gpu.memory().free_mib) if gpu else None
        proven = [_show(step(pool, device, sizes, used)) for step in (untouched, footprints, fractions, eviction)]
    raise typer.Exit(0 if all(proven) else 1)


@dataclass(frozen=True)
class Proof:
    """The outcome of one check."""

    what: str
    holds: bool
    seen: str


Used = Callable[[], int] | None


IMPORTS = """
import sys
from deployments.backends import preload
from deployments.replica.memory import gpu_meter
preload(sys.argv[1])
import torch
meter = gpu_meter("cuda:0", 0)
print(torch.cuda.is_initialized(), meter.held_mib() if meter else 0)
"""


def untouched(pool: "Pool", device: str, sizes: Sizes, used: Used) -> Proof:  # noqa: ARG001 — one signature for all
    """Importing a model library creates no context on the GPU."""
    seen = {}
    for backend in ("faster_whisper", "pyannote", "transformers_llm"):
        command = [sys.executable, "-W", "ignore", "-c", IMPORTS, backend]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        seen[backend] = ran.stdout.split()[-2:]
    holds = all(found == ["False", "0"] for found in seen.values())
    return Proof("imports", holds, ", ".join(f"{name} holds {held} MiB" for name, (_, held) in seen.items()))


def footprints(pool: "Pool", device: str, sizes: Sizes, used: Used) -> Proof:
    """The measured footprint of a model equals its allocation, by its process and by the device."""
    before = used() if used else 0
    pool.call("asr")
    grown = used() - before if used else None
    model = pool.model("asr")
    measured = model["footprint_mib"]
    holds = sizes.hold <= measured <= sizes.hold + sizes.besides and model["device"] == device
    if grown is not None:
        holds = holds and abs(grown - measured) <= sizes.hold // 5
    return Proof("footprint", holds, f"{measured} MiB by its process, {grown or 'unknown'} by the device")


def fractions(pool: "Pool", device: str, sizes: Sizes, used: Used) -> Proof:  # noqa: ARG001 — one signature for all
    """Processes with a fraction of the GPU each run side by side on it."""
    pool.call("diarizer")
    models = [pool.model(role) for role in ("asr", "diarizer")]
    holds = all(model["state"] == "warm" and model["device"] == device for model in models)
    return Proof("fractions", holds, ", ".join(f"{m['role']} {m['state']} on {m['device']}" for m in models))


def eviction(pool: "Pool", device: str, sizes: Sizes, used: Used) -> Proof:  # noqa: ARG001
    """The third model evicts the least recently used one, and memory never exceeds the budget."""
    before = used() if used else 0
    pool.call("assessor")
    states = [pool.model(role)["state"] for role in ROLES]
    grown = used() - before if used else 0
    holds = states == ["cold", "warm", "warm"] and grown <= sizes.besides
    return Proof("eviction", holds, f"{', '.join(states)}; the device grew by {grown} MiB")


@dataclass(frozen=True)
class Pool:
    """The bare pool over HTTP."""

    url: str

    def call(self, role: ModelRole) -> None:
        """Call a model. The call must succeed."""
        answer = httpx.get(f"{self.url}/calls", params={"role": role}, timeout=180).raise_for_status()
        last = json.loads(answer.text.splitlines()[-1])
        assert last["event"] == "result", last

    def model(self, role: ModelRole) -> dict[str, Any]:
        """One model of the status page."""
        models = httpx.get(f"{self.url}/status", timeout=30).raise_for_status().json()["models"]
        found: dict[str, Any] = next(model for model in models if model["role"] == role)
        return found


@contextmanager
def _pool(device: str, sizes: Sizes) -> Iterator[Pool]:
    with tempfile.TemporaryDirectory(prefix="rs-gpu-") as name:
        folder = Path(name)
        path = folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(_config(folder, device, sizes)), "utf-8")
        options = Options(folder, free_port(), free_port(), path, health_path="/status")
        with Stack(options, say=lambda line: console.print(f"[dim]{line}")) as stack:
            yield Pool(stack.base_url)


def _config(folder: Path, device: str, sizes: Sizes) -> dict[str, Any]:
    """The shipped config with the bare pool in place of the product."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    profile = {
        role: {
            "backend": kind, "name": f"fake-{role}", "num_gpus": FRACTIONS[role],
            "footprint_mib": sizes.hold + sizes.besides // 2,
            "options": {"hold_mib": sizes.hold, "device": device, "load_s": 0.5},
        }
        for role, kind in KINDS.items()
    }  # fmt: skip
    (folder / "models.yaml").write_text(yaml.safe_dump(profile), "utf-8")
    product = config["applications"][0]
    product["import_path"] = "scripts.benchmarks.pool_driver:build"
    product["args"] = {"profile": str(folder / "models.yaml"), "memory_budget_mib": sizes.budget}
    product["deployments"] = [given for given in product["deployments"] if given["name"] in MODELS]
    return config


def _show(proof: Proof) -> bool:
    console.print(f"{'proven' if proof.holds else 'NOT TRUE'}: {proof.what} ({proof.seen})", highlight=False)
    return proof.holds


if __name__ == "__main__":
    typer.run(check)
