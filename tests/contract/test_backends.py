"""The contract of every backend: the same tests over the fakes and the real models of each role."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from deployments.backends import Backend
from deployments.profiles import ModelSpec
from scripts.evaluation.assessment.sample import only_competencies
from serve_app.errors import InferenceFailed, WeightsUnavailable
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, DiarizationRequest, ModelRequest, Recording, TranscriptionRequest
from tests.support.backends import CUT_S, Stop, default, language_model, nothing, stop_inside_first_step
from tests.support.fakes import fake_spec
from tests.support.sample import assessment_request
from tests.support.world import SAMPLE


class Case(NamedTuple):
    """A backend and a request it can run."""

    spec: ModelSpec
    request: Callable[[], ModelRequest[Any]]


def half_a_minute() -> Recording:
    """The first 30 seconds of the sample: one window of the recogniser, two voices."""
    return Recording(decode(SAMPLE, 7200).samples[: CUT_S * SAMPLE_RATE])


def transcription() -> TranscriptionRequest:
    """A request of the asr role."""
    return TranscriptionRequest(half_a_minute(), "en")


def diarization() -> DiarizationRequest:
    """A request of the diarizer role."""
    return DiarizationRequest(half_a_minute())


def assessment() -> ModelRequest[Any]:
    """A request of the assessor role: one competency."""
    return only_competencies(assessment_request(), ("problem_solving",))


FAKES = {
    "fake asr": Case(fake_spec("asr"), transcription),
    "fake diarizer": Case(fake_spec("diarizer"), diarization),
    "fake assessor": Case(fake_spec("assessor"), assessment),
}
REAL = {
    "faster_whisper": Case(default("asr"), transcription),
    "pyannote": Case(default("diarizer"), diarization),
    "grader": Case(default("assessor"), assessment),
    "transformers_llm": Case(language_model("transformers_llm"), assessment),
    "llama_cpp": Case(language_model("llama_cpp"), assessment),
}
SHORT_STEPS = {"pyannote"}
"""Reports after every half second of work, and repeats no report."""


@pytest.fixture(scope="module", params=[*FAKES, *REAL])
def case(request: pytest.FixtureRequest) -> Case:
    return (FAKES | REAL)[request.param]


@pytest.fixture(scope="module")
def backend(case: Case) -> Iterator[Backend]:
    backend = case.spec.build()
    backend.load(nothing)
    yield backend
    backend.unload()


def test_progress_rises_to_one(case: Case, backend: Backend) -> None:
    """Shares never fall, and the last one is 1."""
    shares: list[float] = []
    backend.run(case.request(), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_same_request_gets_the_same_result(case: Case, backend: Backend) -> None:
    """Nothing of an earlier call shows in a later one."""
    assert backend.run(case.request(), nothing) == backend.run(case.request(), nothing)


def test_what_progress_raises_stops_the_work(case: Case, backend: Backend) -> None:
    """Canceling reaches the caller as what it raised, and the next call works."""

    def stop(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        backend.run(case.request(), stop)
    assert backend.run(case.request(), nothing)


def test_a_model_is_unloaded_and_loaded_again(case: Case) -> None:
    """The same object gives the same result after it was unloaded; loading or unloading twice does nothing."""
    backend = case.spec.build()
    seen: list[tuple[int, int]] = []
    backend.load(lambda *share: seen.append(share))
    first = backend.run(case.request(), nothing)
    backend.load(lambda *_: pytest.fail("loaded twice"))
    backend.unload()
    backend.unload()
    backend.load(nothing)
    assert backend.run(case.request(), nothing) == first
    assert seen == sorted(seen)
    assert seen[-1] == (backend.weight_bytes(), backend.weight_bytes())
    backend.unload()


@pytest.mark.parametrize("name", [name for name in REAL if name not in SHORT_STEPS])
def test_a_model_is_stopped_inside_its_first_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model reports within its first step, and an exception from that report reaches the caller."""
    backend = REAL[name].spec.build()
    backend.load(nothing)
    assert stop_inside_first_step(backend, REAL[name].request(), monkeypatch) < 0.5
    backend.unload()


@pytest.mark.parametrize("name", REAL)
def test_a_model_that_is_not_loaded_says_so(name: str) -> None:
    """Running before loading fails with a coded error."""
    with pytest.raises(InferenceFailed, match="before"):
        REAL[name].spec.build().run(REAL[name].request(), nothing)


@pytest.mark.parametrize("name", [name for name, case in REAL.items() if case.spec.weights])
def test_altered_weights_are_refused_at_load(name: str) -> None:
    """A file with another SHA-256 never becomes a model."""
    spec = REAL[name].spec
    altered = {
        part: weights.model_copy(update={"files": dict.fromkeys(weights.files, "0" * 64)})
        for part, weights in spec.weights.items()
    }
    with pytest.raises(WeightsUnavailable):
        spec.model_copy(update={"weights": altered}).build().load(nothing)
