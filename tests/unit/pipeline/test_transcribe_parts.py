"""Long recordings over several ASR replicas."""

import asyncio
from typing import Any

import pytest

from serve_app.errors import InferenceFailed
from serve_app.pipeline.ports import Observer
from serve_app.pipeline.transcribe_parts import MIN_PART_S, transcribe
from serve_app.pipeline.types import ModelRole, Part, Transcription, TranscriptionRequest, Word
from tests.support.fakes import Silence


class ProgressLog(Silence):
    """An observer that records progress."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    async def progress(self, role: ModelRole, share: float) -> None:
        self.shares.append(share)


class Replicas:
    """A pool whose ASR replicas work side by side, the last part being done first."""

    def __init__(self, asr_replicas: int, failing: int | None = None) -> None:
        self.asr_replicas = asr_replicas
        self.parts: list[Part] = []
        self.canceled: list[int] = []
        self._failing = failing

    async def run(self, request: Any, observer: Observer) -> Any:
        return await self.work(observer, request.part)

    async def work(self, observer: Observer, part: Part) -> Transcription:
        self.parts.append(part)
        try:
            await asyncio.sleep(0)
            assert self.parts[-1] == part, "the next part was sent before this one had begun"
            await observer.inference("asr")
            await observer.progress("asr", 0.5)
            await asyncio.sleep(0.01 * (part.of - part.index))
            if part.index == self._failing:
                raise InferenceFailed("one part failed")
            await observer.progress("asr", 1.0)
        except asyncio.CancelledError:
            self.canceled.append(part.index)
            raise
        word = Word(float(part.index), part.index + 0.5, f"part{part.index}")
        return Transcription((word,), "en", 2.0, 1.0)


async def test_a_long_recording_uses_every_replica_and_joins_in_order() -> None:
    """Each part is sent once the one before is at work; the result is one transcription with the sums of speech."""
    pool, observer = Replicas(3), ProgressLog()
    found = await transcribe(TranscriptionRequest(None, "en"), 3600.0, pool, observer)  # type: ignore[arg-type] # what a pool needs here
    assert pool.parts == [Part(0, 3), Part(1, 3), Part(2, 3)]
    assert [word.text for word in found.words] == ["part0", "part1", "part2"]
    assert (found.speech_s, found.covered_s) == (6.0, 3.0)
    assert observer.shares == sorted(observer.shares)
    assert observer.shares[-1] == 1.0


@pytest.mark.parametrize(("length_s", "parts"), [(0.0, 1), (2 * MIN_PART_S - 1, 1), (2 * MIN_PART_S, 2), (36_000, 4)])
async def test_a_part_is_never_too_short_to_pay(length_s: float, parts: int) -> None:
    """Short recordings stay whole, and nothing is cut finer than there are replicas."""
    pool = Replicas(4)
    await transcribe(TranscriptionRequest(None), length_s, pool, Silence())  # type: ignore[arg-type] # what a pool needs here
    assert len(pool.parts) == parts


async def test_a_failed_part_ends_the_others() -> None:
    """The caller gets the failure itself, and nobody works on for nothing."""
    pool = Replicas(3, failing=2)
    with pytest.raises(InferenceFailed, match="one part failed"):
        await transcribe(TranscriptionRequest(None, "en"), 3600.0, pool, Silence())  # type: ignore[arg-type] # what a pool needs here
    assert sorted(pool.canceled) == [0, 1]
