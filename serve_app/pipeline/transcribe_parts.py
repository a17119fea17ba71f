"""Transcribe a long recording on several ASR replicas: cut into parts, sent one after the other, joined in order.

Every replica receives the whole recording and cuts it at the silences between its own windows, so the joined words are
those of a single run. A part is sent once the part before it is being worked on: by then Serve knows which replica is
busy and chooses another one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from serve_app.pipeline.languages import UNKNOWN
from serve_app.pipeline.ports import Loading, ModelPool, Observer
from serve_app.pipeline.types import ModelRole, Part, Transcription, TranscriptionRequest

MIN_PART_S = 300.0
"""Shorter parts do not pay: each part runs voice activity detection over the whole recording again."""


async def transcribe(
    request: TranscriptionRequest, duration_s: float, pool: ModelPool, observer: Observer
) -> Transcription:
    """Transcribe a recording of `duration_s` seconds, in parts where that pays. Raises `JobFailure`."""
    count = max(1, min(pool.asr_replicas, int(duration_s / MIN_PART_S)))
    shares = [0.0] * count
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            for part in (Part(index, count) for index in range(count)):
                part_observer = _PartObserver(observer, shares, part.index)
                task = group.create_task(pool.run(replace(request, part=part), part_observer))
                task.add_done_callback(part_observer.set_begun)
                tasks.append(task)
                await part_observer.begun.wait()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the first failure canceled the other parts
    return join([task.result() for task in tasks])


def join(parts: Sequence[Transcription]) -> Transcription:
    """Join the transcriptions of all parts or channels, given in order; the language is that of what was understood."""
    words = sorted((word for part in parts for word in part.words), key=lambda word: (word.start, word.end))
    speech_s, covered_s = (sum(getattr(part, field) for part in parts) for field in ("speech_s", "covered_s"))
    language = next((part.language for part in parts if part.language != UNKNOWN), UNKNOWN)
    return Transcription(tuple(words), language, speech_s, covered_s)


class _PartObserver:
    """Passes one part's reports on; its progress counts for its share of the whole."""

    def __init__(self, observer: Observer, shares: list[float], index: int) -> None:
        self._observer, self._shares, self._index = observer, shares, index
        self.begun = asyncio.Event()

    def set_begun(self, _: object = None) -> None:
        self.begun.set()

    async def loading(self, event: Loading) -> None:
        self.set_begun()
        await self._observer.loading(event)

    async def inference(self, role: ModelRole) -> None:
        self.set_begun()
        await self._observer.inference(role)

    async def progress(self, role: ModelRole, share: float) -> None:
        self._shares[self._index] = share
        await self._observer.progress(role, sum(self._shares) / len(self._shares))
