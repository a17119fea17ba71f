"""The GPU check (`scripts.benchmarks.gpu_check`): footprints, shared fractions and eviction on an NVIDIA GPU."""

import subprocess
import sys

import pytest

from deployments.replica.memory import gpu_meter
from tests.support.world import ROOT

HAS_GPU = gpu_meter("cuda:0", 0) is not None


def check() -> "subprocess.CompletedProcess[str]":
    """Run the check as an operator does."""
    command = [sys.executable, "-m", "scripts.benchmarks.gpu_check"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU")
def test_footprints_fractions_and_eviction_hold_on_the_gpu() -> None:
    """All checks hold by NVML's figures of process and device."""
    ran = check()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [f"proven: {what}" in ran.stdout for what in ("footprint", "fractions", "eviction")] == [True] * 3


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_without_a_gpu_the_check_is_skipped() -> None:
    """The check prints "skipped" and succeeds."""
    ran = check()
    assert ran.returncode == 0
    assert ran.stdout.startswith("skipped")
    assert "proven" not in ran.stdout
