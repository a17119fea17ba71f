"""A long recording over several ASR replicas: as many parts as pay, sent one after the other, joined in order.

The transcriber itself cuts them, at the silences between its own windows, so the joined words are those of one run.
A part is sent when the one before it is at work: whoever spreads calls over replicas then knows which of them is busy.
"""

import asyncio

from serve_app.pipeline.ports import AudioRef, Loading, ModelPool, ModelRole, Observer
from serve_app.pipeline.types import Part, Transcription

MIN_PART_S = 300.0
"""A shorter part is not worth looking for the speech of the whole recording once more."""


async def transcribe(
    pool: ModelPool, observer: Observer, audio: AudioRef, duration_s: float, language: str | None
) -> Transcription:
    """Transcribe with as many of the pool's replicas as the length is worth. Raises `JobFailure`."""
    parts = max(1, min(pool.asr_replicas, int(duration_s / MIN_PART_S)))
    shares = [0.0] * parts
    running = []
    try:
        async with asyncio.TaskGroup() as group:
            for part in (Part(index, parts) for index in range(parts)):
                heard = _PartObserver(observer, shares, part.index)
                task = group.create_task(pool.models(heard).transcriber.transcribe(audio, language, part))
                task.add_done_callback(heard.has_begun)
                running.append(task)
                await heard.begun.wait()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the first one ended the others
    return join([task.result() for task in running])


def join(found: list[Transcription]) -> Transcription:
    """Put parts, given in their order, together to one transcription."""
    words = sorted((word for part in found for word in part.words), key=lambda word: (word.start, word.end))
    speech_s, covered_s = (sum(getattr(part, field) for part in found) for field in ("speech_s", "covered_s"))
    return Transcription(tuple(words), found[0].language, speech_s, covered_s)


class _PartObserver:
    """Tells of one part what an observer of the whole may hear: its progress counts for its share."""

    def __init__(self, observer: Observer, shares: list[float], index: int) -> None:
        self._observer, self._shares, self._index = observer, shares, index
        self.begun = asyncio.Event()

    def has_begun(self, _: object = None) -> None:
        self.begun.set()

    async def loading(self, event: Loading) -> None:
        self.has_begun()
        await self._observer.loading(event)

    async def inference(self, role: ModelRole) -> None:
        self.has_begun()
        await self._observer.inference(role)

    async def progress(self, role: ModelRole, share: float) -> None:
        self._shares[self._index] = share
        await self._observer.progress(role, sum(self._shares) / len(self._shares))
