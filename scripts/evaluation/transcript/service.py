"""The service as a system under test: `pipeline.interview.run` over local models, with the time spent in each model.

Without assessment: the plain script that it is compared with has none either.
"""

import asyncio
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from deployments.backends import Backend
from deployments.profiles import ModelSpec, Profile
from deployments.replica.local_pool import LocalPool
from scripts.evaluation.observed import MemoryJournal, ObservedBackend, Run
from scripts.evaluation.transcript.plain_script import SystemOutput
from scripts.evaluation.transcript.recordings import ReferenceRecording
from scripts.evaluation.transcript.scores import Line
from serve_app.pipeline.interview import Interview, run
from serve_app.pipeline.ports import Observer, Progress
from serve_app.pipeline.types import SAMPLE_RATE, Assessment, AssessmentRequest, ModelRequest, Recording, Rubric

R = TypeVar("R")
MAX_S = 4 * 3600.0
SPANS: list[tuple[str, float, float]] = []
"""(role, start, end) of each model call since the list was cleared, in seconds of the performance counter."""


class Service:
    """`pipeline.interview.run` with one model per role in this process."""

    name = "service"

    def __init__(self, profile: Profile) -> None:
        self._runner = asyncio.Runner()
        asr, diarizer = (_TimedSpec.model_validate(spec.model_dump()) for spec in (profile.asr, profile.diarizer))
        self._pool = _PoolWithoutAssessor({"asr": asr, "diarizer": diarizer})
        for role in ("asr", "diarizer"):
            self._runner.run(self._pool.warm(role, MemoryJournal()))

    def close(self) -> None:
        """Unload the models."""
        self._runner.run(self._pool.close())
        self._runner.close()

    def transcribe(self, item: ReferenceRecording) -> SystemOutput:
        """Process one recording from its file to its result."""
        with _file(item) as path:
            return self.transcribe_file(path)

    def transcribe_file(self, path: Path) -> SystemOutput:
        """Process one file; `overhead_s` is the time outside the two models."""
        journal = MemoryJournal()
        interview = Interview(lambda: nullcontext(path), MAX_S, 0.0, "", Rubric("none", ()), language="en")
        SPANS.clear()
        began = time.perf_counter()
        result = self._runner.run(run(interview, self._pool, journal))
        total_s = time.perf_counter() - began
        transcription, diarization = journal.outputs["transcription"], journal.outputs["diarization"]
        seconds = {role: end - start for role, start, end in SPANS}
        return SystemOutput(
            tuple(Line(row["speaker"], row["text"]) for row in result["transcript"]),
            diarization.turns,
            seconds["asr"],
            seconds["diarizer"],
            total_s,
            overhead_s=total_s - _union_s([(start, end) for _, start, end in SPANS]),
            coverage=(transcription.covered_s, transcription.speech_s),
        )


class _TimedSpec(ModelSpec):
    """A spec whose backend records its calls in `SPANS`."""

    def build(self) -> Backend:
        return ObservedBackend(super().build(), _timed)


def _timed(run: Run, request: ModelRequest[Any], progress: Progress) -> Any:
    began = time.perf_counter()
    try:
        return run(request, progress)
    finally:
        SPANS.append((request.role, began, time.perf_counter()))


class _PoolWithoutAssessor(LocalPool):
    """A pool whose assessor returns an empty assessment."""

    async def run(self, request: ModelRequest[R], observer: Observer) -> R:
        if not isinstance(request, AssessmentRequest):
            return await super().run(request, observer)
        empty: Any = Assessment("", "insufficient_evidence", {}, (), (), (), "", "none", "none", "none")
        result: R = empty
        return result


def _union_s(spans: list[tuple[float, float]]) -> float:
    """Return the seconds that at least one span covers."""
    total = reached = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


@contextmanager
def _file(item: ReferenceRecording) -> Iterator[Path]:
    """Yield the recording's file, or a WAV of the part that its reference covers."""
    if item.until_s is None:
        yield item.path
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part.wav"
        write_wav(path, item.decode())
        yield path


def write_wav(path: Path, audio: Recording) -> None:
    """Write the mono mix of a recording as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((audio.samples * 32767).astype("<i2").tobytes())
