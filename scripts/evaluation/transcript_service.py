"""The service's own flow over local models, clocked: `pipeline.run` from the file on, with what it spends in models.

Nobody assesses here: the plain script it is compared with has no assessment either.
"""

import asyncio
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from deployments.backends import Backend
from deployments.profiles import ModelSpec, Profile
from deployments.replica.local_pool import LocalPool
from scripts.evaluation.observed import Observed, Stages
from scripts.evaluation.plain_script import Output
from scripts.evaluation.transcript_scores import Line
from scripts.evaluation.transcript_sets import Item
from serve_app.pipeline.interview import Interview, run
from serve_app.pipeline.ports import Observer
from serve_app.pipeline.types import SAMPLE_RATE, Assessment, AssessmentRequest, ModelRequest, Recording, Rubric

R = TypeVar("R")
LONGEST_S = 4 * 3600.0
SPANS: list[tuple[str, float, float]] = []
"""(role, start, end) of every model call since the list was cleared, by the wall clock."""


class Service:
    """`pipeline.run` over one replica a role in this process."""

    name = "service"

    def __init__(self, profile: Profile) -> None:
        self._runner = asyncio.Runner()
        asr, diarizer = (_Clocked.model_validate(spec.model_dump()) for spec in (profile.asr, profile.diarizer))
        self._pool = _Unassessed({"asr": asr, "diarizer": diarizer})
        for role in ("asr", "diarizer"):
            self._runner.run(self._pool.warm(role, Stages()))

    def close(self) -> None:
        """End the replicas."""
        self._runner.run(self._pool.close())
        self._runner.close()

    def read(self, item: Item) -> Output:
        """Take one recording from its file to its result."""
        with _file(item) as path:
            return self.run(path)

    def run(self, path: Path) -> Output:
        """Take one file to its result; `overhead_s` is what went by outside the two models."""
        stages = Stages()
        interview = Interview(lambda: _held(path), LONGEST_S, 0.0, "", Rubric("none", ()), language="en")
        SPANS.clear()
        began = time.perf_counter()
        result = self._runner.run(run(interview, self._pool, stages))
        total_s = time.perf_counter() - began
        heard, found = stages.kept["transcription"], stages.kept["diarization"]
        seconds = {role: end - start for role, start, end in SPANS}
        return Output(
            tuple(Line(row["speaker"], row["text"]) for row in result["transcript"]),
            found.turns,
            seconds["asr"],
            seconds["diarizer"],
            total_s,
            overhead_s=total_s - _union_s([(start, end) for _, start, end in SPANS]),
            coverage=(heard.covered_s, heard.speech_s),
        )


class _Clocked(ModelSpec):
    """A spec whose backend tells `SPANS` when it worked."""

    def build(self) -> Backend:
        return Observed(super().build(), ("run",), _clocked)


def _clocked(_: str, call: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    began = time.perf_counter()
    try:
        return call(*args)
    finally:
        SPANS.append((args[0].role, began, time.perf_counter()))


class _Unassessed(LocalPool):
    """A pool whose assessor has nothing to say."""

    async def run(self, request: ModelRequest[R], observer: Observer) -> R:
        if not isinstance(request, AssessmentRequest):
            return await super().run(request, observer)
        empty: Any = Assessment("", "insufficient_evidence", {}, (), (), (), "", "none", "none", "none")
        found: R = empty
        return found


def _union_s(spans: list[tuple[float, float]]) -> float:
    total = reached = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


@contextmanager
def _held(path: Path) -> Iterator[Path]:
    yield path


@contextmanager
def _file(item: Item) -> Iterator[Path]:
    """The item's file, or a WAV of the part its reference covers."""
    if item.until_s is None:
        yield item.path
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part.wav"
        write_wav(path, item.recording())
        yield path


def write_wav(path: Path, audio: Recording) -> None:
    """Write a recording as 16-bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((audio.samples * 32767).astype("<i2").tobytes())
