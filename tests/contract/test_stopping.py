"""A cancel reaches a real model in the middle of a step, not only between two: the default's weights on the sample.

The diarizer's own steps are short enough: it reports every half a second of work.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from deployments.backends import AssessorBackend, Backend, TranscriberBackend
from deployments.backends import progress as progress_module
from deployments.profiles import load_profile
from scripts.evaluation.assessment import bundled
from serve_app.pipeline.audio import decode
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import SAMPLE_RATE, Recording
from tests.support.world import SAMPLE

CALLS: dict[str, Callable[[Any, Progress], object]] = {
    "asr": lambda asr, progress: cast("TranscriberBackend", asr).transcribe(half_a_minute(), "en", progress),
    "assessor": lambda judge, progress: cast("AssessorBackend", judge).assess(bundled(), progress),
}


class Stop(Exception):
    """What a caller raises to cancel."""


@pytest.fixture(params=CALLS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, Callable[[Any, Progress], object]]]:
    """A loaded model of the default profile, and a call to it."""
    backend = getattr(load_profile("embedded"), request.param).build()
    backend.load(lambda *_: None)
    yield backend, CALLS[request.param]
    backend.unload()


def test_a_model_is_stopped_inside_its_first_step(
    model: tuple[Backend, Callable[[Any, Progress], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reports again before the first step is done; what is raised then comes out as it was."""
    monkeypatch.setattr(progress_module, "EVERY_S", 0.0)
    backend, call = model
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if shares.count(share) == 2:  # the same share again: in the middle of a step
            raise Stop

    with pytest.raises(Stop):
        call(backend, stop)
    assert shares[-1] < 0.5


def half_a_minute() -> Recording:
    """The sample's beginning: one window of the recogniser."""
    return Recording(decode(SAMPLE, 7200).samples[: 30 * SAMPLE_RATE])
