"""Backends without a model, for tests and for trying the API.

Options set timings, sizes and failures. `pace` is seconds of work per second of audio. `fail` is `vram` (loads fail),
`inference` (runs fail), `language` (the transcriber fails for good), or the path of a file: while it exists, loads fail
with the error it names (`oom` or `broken`).
"""

import time
from importlib import import_module
from pathlib import Path
from typing import Any

from deployments.backends import LoadProgress
from serve_app.errors import LanguageUnsupported, VramUnavailable
from serve_app.pipeline.languages import UNKNOWN
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import (
    Assessment,
    AssessmentRequest,
    CompetencyScore,
    Diarization,
    DiarizationRequest,
    Transcription,
    TranscriptionRequest,
    Turn,
    Word,
)

STEPS = 10
REPORT_EVERY_S = 0.2
"""Longest pause between two progress reports."""


class _Fake:
    def __init__(  # noqa: PLR0913 — keyword-only options of a profile, not a call people write
        self,
        *,
        name: str,
        load_s: float = 0.0,
        work_s: float = 0.0,
        pace: float = 0.0,
        fail: str = "",
        hold_mib: int = 0,
        device: str = "cpu",
        **_: Any,
    ) -> None:
        self.name = name
        self.device = device
        self._load_s = load_s
        self._work_s = work_s
        self._pace = pace
        self._fail = fail
        self._hold_mib = hold_mib
        self._held: Any = None
        self._loaded = False

    def weight_bytes(self) -> int:
        return 10 << 20

    def load(self, progress: LoadProgress) -> None:
        if self._fail == "vram":
            raise VramUnavailable
        if self._fail.startswith("/") and Path(self._fail).exists():
            raise {"oom": MemoryError, "broken": OSError}[Path(self._fail).read_text("ascii")]
        if self._loaded:
            return
        for step in range(STEPS):
            time.sleep(self._load_s / STEPS)
            progress(self.weight_bytes() * (step + 1) // STEPS, self.weight_bytes())
        self._held = self._allocate()
        self._loaded = True

    def unload(self) -> None:
        self._loaded = False
        self._held = None
        if self.device != "cpu":
            import_module("torch").cuda.empty_cache()

    def _allocate(self) -> Any:
        """Allocate memory and write to it, so that the system really assigns it."""
        if self.device == "cpu":
            return bytearray(b"1") * (self._hold_mib << 20)
        torch = import_module("torch")
        return torch.ones(self._hold_mib << 20, dtype=torch.uint8, device=self.device)

    def _work(self, progress: Progress, audio_s: float = 0.0) -> None:
        work_s = self._work_s + self._pace * audio_s
        steps = max(STEPS, round(work_s / REPORT_EVERY_S))
        if self._fail == "inference":
            raise RuntimeError("a secret detail of the model")
        for step in range(steps):
            time.sleep(work_s / steps)
            progress((step + 1) / steps)


class FakeTranscriber(_Fake):
    """Returns two words per second; none where the recording is silent. Hears the language of the option `language`."""

    def __init__(self, *, language: str = "en", **options: Any) -> None:
        super().__init__(**options)
        self._language = language

    def run(self, request: TranscriptionRequest, progress: Progress) -> Transcription:
        """See `Backend.run`."""
        audio, part = request.audio, request.part
        if self._fail == "language":
            raise LanguageUnsupported
        self._work(progress, audio.duration_s)
        beats = range(int(audio.duration_s * 2) if audio.samples.any() else 0)
        share = beats[len(beats) * part.index // part.of : len(beats) * (part.index + 1) // part.of]
        suspect = self._language == UNKNOWN
        words = tuple(Word(i / 2, i / 2 + 0.4, f"word{i}", suspect=suspect) for i in share)
        return Transcription(
            words, request.language or self._language, audio.duration_s / part.of, audio.duration_s / part.of
        )


class FakeDiarizer(_Fake):
    """Assigns the first half to one speaker and the second half to another."""

    def run(self, request: DiarizationRequest, progress: Progress) -> Diarization:
        """See `Backend.run`."""
        audio = request.audio
        self._work(progress, audio.duration_s)
        half, end = audio.duration_s / 2, audio.duration_s
        turns = (Turn(0.0, half, "SPEAKER_00"), Turn(half, end, "SPEAKER_01"))
        return Diarization(turns, turns) if request.num_speakers != 1 else Diarization(turns[:1], turns[:1])


class FakeAssessor(_Fake):
    """Returns a valid assessment without scores."""

    def run(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `Backend.run`."""
        self._work(progress)
        unscored = CompetencyScore(score=None, rationale="No model has assessed this.", reason="not_asked")
        return Assessment(
            summary=f"A fake assessment for {request.role_title}.",
            recommendation="insufficient_evidence",
            scores={competency.slug: unscored for competency in request.rubric.competencies},
            highlights=(),
            red_flags=(),
            questions_for_next_round=(),
            submittal_note="",
            model=self.name,
            rubric_version=request.rubric.version,
            prompt_version="fake",
        )
