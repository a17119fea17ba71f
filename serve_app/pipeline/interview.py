"""The flow of an interview: decode → (ASR ∥ diarization) → alignment → metrics → assessment.

The journal keeps the output of every finished stage. A stage that it holds is not run again, so a second attempt
resumes where the first one ended.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from serve_app.pipeline import audio
from serve_app.pipeline.alignment import align
from serve_app.pipeline.assessment.unassessed import not_assessed, reason_not_to_assess
from serve_app.pipeline.corrections import CorrectedTranscript
from serve_app.pipeline.exports import OriginalRow, Row, to_rows
from serve_app.pipeline.metrics import talk_metrics
from serve_app.pipeline.ports import ModelPool, Observer
from serve_app.pipeline.speaker_roles import find_candidate
from serve_app.pipeline.transcribe_parts import transcribe
from serve_app.pipeline.types import (
    Assessment,
    AssessmentRequest,
    AudioRef,
    Diarization,
    DiarizationRequest,
    InputReport,
    Recording,
    Rubric,
    StatedCandidate,
    Transcription,
    TranscriptionRequest,
)

T = TypeVar("T")
OpenInput = Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True)
class Interview:
    """An interview to be assessed."""

    open_input: OpenInput
    max_duration_s: float
    duration_s: float
    role_title: str
    rubric: Rubric
    language: str | None = None
    num_speakers: int | None = None
    candidate: StatedCandidate | str | None = None
    """Who the candidate is, where the caller said it. A speaker's label for a transcript that they have seen."""
    job_description: str = ""
    words: bool = False
    """Whether the result holds every word with its time and confidence."""


class Journal(Observer, Protocol):
    """Keeps finished stages, and observes the models."""

    async def recall(self, stage: str, type_: type[T]) -> T | None:
        """Output of a stage that an earlier attempt finished."""
        ...

    async def remember(self, stage: str, output: object) -> None:
        """Keep the output of a finished stage."""
        ...


async def run(interview: Interview, pool: ModelPool, journal: Journal) -> dict[str, Any]:
    """Take an interview to the public result. Raises `JobFailure` and `Invalid`."""
    stages = _Stages(journal)
    transcription, diarization = await _transcribe_and_diarize(interview, pool, stages)
    corrected = await journal.recall("corrected", CorrectedTranscript)
    transcript = corrected or CorrectedTranscript(align(transcription, diarization))
    utterances = transcript.utterances
    candidate, roles = find_candidate(utterances, diarization, interview.candidate)
    request = AssessmentRequest(
        role_title=interview.role_title,
        utterances=utterances,
        candidate=candidate.speaker,
        rubric=interview.rubric,
        job_description=interview.job_description,
    )
    if reason := reason_not_to_assess(transcription):
        assessment = not_assessed(interview.rubric, reason, transcription.language)
    else:
        assessment = await stages.run("assessment", Assessment, lambda: pool.run(request, journal))
    metrics = talk_metrics(utterances, diarization, transcription)
    return {
        "duration_s": round(interview.duration_s, 1),
        "input": asdict(await _input_report(interview, stages)),
        "no_speech": reason == "no_speech",
        "language": transcription.language,
        "transcript": _rows(transcript, words=interview.words),
        "candidate": asdict(candidate),
        "speakers": {label: asdict(guess) | {"name": transcript.names.get(label)} for label, guess in roles.items()},
        "metrics": asdict(metrics),
        "assessment": {key: value for key, value in asdict(assessment).items() if key != "usage"},
        "rubric": asdict(interview.rubric),
        "usage": {"stages": stages.seconds, "assessor": asdict(assessment.usage)},
    }


def _rows(transcript: CorrectedTranscript, *, words: bool) -> list[Row]:
    """The public rows; a corrected one also holds its original speaker and text."""
    rows = to_rows(transcript.utterances, words=words)
    for line, original in transcript.originals.items():
        rows[line]["original"] = OriginalRow(speaker=original.speaker, text=original.text)
    return rows


async def _transcribe_and_diarize(
    interview: Interview, pool: ModelPool, stages: "_Stages"
) -> tuple[Transcription, Diarization]:
    """Run ASR and diarization side by side. The recording is decoded once, and only when one of them needs it."""
    shared = _Once(lambda: _share(interview, pool, stages))

    async def transcription() -> Transcription:
        request = TranscriptionRequest(await shared(), interview.language)
        return await transcribe(request, interview.duration_s, pool, stages.journal)

    async def diarization() -> Diarization:
        return await pool.run(DiarizationRequest(await shared(), interview.num_speakers), stages.journal)

    try:
        async with asyncio.TaskGroup() as both:
            asr = both.create_task(stages.run("transcription", Transcription, transcription))
            diarizer = both.create_task(stages.run("diarization", Diarization, diarization))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the first one ended the other
    return asr.result(), diarizer.result()


async def _share(interview: Interview, pool: ModelPool, stages: "_Stages") -> AudioRef:
    recording = await _decode(interview)
    stages.input = recording.report
    await stages.journal.remember("input", recording.report)
    return pool.share(recording)


async def _input_report(interview: Interview, stages: "_Stages") -> InputReport:
    """What was read of the file. Decodes it again only where an earlier version made the checkpoints."""
    kept = stages.input or await stages.journal.recall("input", InputReport)
    return kept or (await _decode(interview)).report


async def _decode(interview: Interview) -> Recording:
    def decode() -> Recording:
        with interview.open_input() as path:
            return audio.decode(path, interview.max_duration_s)

    return await asyncio.to_thread(decode)


class _Stages:
    """Runs what no earlier attempt has finished, and knows how long that took."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.seconds: dict[str, float] = {}
        self.input: InputReport | None = None

    async def run(self, name: str, type_: type[T], work: Callable[[], Awaitable[T]]) -> T:
        done = await self.journal.recall(name, type_)
        if done is None:
            began = time.monotonic()
            done = await work()
            self.seconds[name] = round(time.monotonic() - began, 2)
            await self.journal.remember(name, done)
        return done


class _Once:
    """An awaitable computed at most once, however many ask."""

    def __init__(self, work: Callable[[], Awaitable[AudioRef]]) -> None:
        self._work = work
        self._task: asyncio.Future[AudioRef] | None = None

    async def __call__(self) -> AudioRef:
        if self._task is None:
            self._task = asyncio.ensure_future(self._work())
        return await asyncio.shield(self._task)
