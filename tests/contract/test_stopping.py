"""A real model can be stopped within a step: the default profile's weights on the bundled sample.

The diarizer is not tested here: it reports after every half second of work.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployments.backends import Backend
from deployments.backends import progress as progress_module
from deployments.profiles import load_profile
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, ModelRequest, Recording, TranscriptionRequest
from tests.support.sample import assessment_request
from tests.support.world import SAMPLE

REQUESTS: dict[str, Callable[[], ModelRequest[Any]]] = {
    "asr": lambda: TranscriptionRequest(half_a_minute(), "en"),
    "assessor": assessment_request,
}


class Stop(Exception):
    """Raised by a caller to cancel."""


@pytest.fixture(params=REQUESTS)
def model(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, ModelRequest[Any]]]:
    """A loaded model of the default profile, and a request for it."""
    backend = getattr(load_profile("embedded"), request.param).build()
    backend.load(lambda *_: None)
    yield backend, REQUESTS[request.param]()
    backend.unload()


def test_a_model_is_stopped_inside_its_first_step(
    model: tuple[Backend, ModelRequest[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model reports within its first step, and an exception from that report reaches the caller."""
    monkeypatch.setattr(progress_module, "EVERY_S", 0.0)
    backend, request = model
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if shares.count(share) == 2:  # the same share again: in the middle of a step
            raise Stop

    with pytest.raises(Stop):
        backend.run(request, stop)
    assert shares[-1] < 0.5


def half_a_minute() -> Recording:
    """The first 30 seconds of the sample: one window of the recogniser."""
    return Recording(decode(SAMPLE, 7200).samples[: 30 * SAMPLE_RATE])
