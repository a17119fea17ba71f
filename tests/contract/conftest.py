"""Backends for the contract: the default profile's models, each loaded once per file."""

from collections.abc import Iterator

import pytest

from deployments.backends import Backend
from deployments.profiles import ModelSpec, load_profile
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, Recording
from tests.support.backends import CUT_S, default, nothing
from tests.support.world import SAMPLE


def loaded(spec: ModelSpec) -> Iterator[Backend]:
    """Load a backend for the tests of a file."""
    backend = spec.build()
    backend.load(nothing)
    yield backend
    backend.unload()


@pytest.fixture(scope="module")
def interview() -> Recording:
    """The first half minute of the bundled sample: two voices."""
    return Recording(decode(SAMPLE, 7200).samples[: CUT_S * SAMPLE_RATE])


@pytest.fixture(scope="module")
def whisper() -> Iterator[Backend]:
    """The default speech recogniser."""
    yield from loaded(default("asr"))


@pytest.fixture(scope="module")
def small_whisper() -> Iterator[Backend]:
    """The speech recogniser for small machines, which knows English only."""
    yield from loaded(load_profile("embedded-small").asr)


@pytest.fixture(scope="module")
def pyannote() -> Iterator[Backend]:
    """The default diarizer."""
    yield from loaded(default("diarizer"))
