"""Transcript scores: WER, cpWER, WDER and DER of a set: errors and totals are summed over its recordings, then divided.

WER and cpWER (meeteval) count normalised words. WDER (Shafey et al. 2019) is the share of aligned words with a wrong
speaker, under the best mapping of speakers. DER is NIST's, with overlap scored and a collar on either side.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import jiwer
import numpy as np
from meeteval.wer import cp_word_error_rate
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # ships no types
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from serve_app.pipeline.types import Turn

NORMALISE = EnglishTextNormalizer({})  # type: ignore[no-untyped-call]  # its constructor is not annotated


@dataclass(frozen=True, slots=True)
class Line:
    """Consecutive words of one speaker, from a reference or a system."""

    speaker: str
    text: str

    @property
    def words(self) -> list[str]:
        """Normalised words: lower case, without punctuation and fillers, contractions expanded."""
        return str(NORMALISE(self.text)).split()


@dataclass(slots=True)
class Scores:
    """Sums of errors and totals over the recordings of one set."""

    errors: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    totals: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add_words(self, reference: list[Line], output: list[Line]) -> None:
        """Add word errors, regardless of speakers."""
        ref, hyp = _text(reference), _text(output)
        counts = jiwer.process_words(ref or " ", hyp) if ref else None
        errors = counts.substitutions + counts.deletions + counts.insertions if counts else len(hyp.split())
        self._add("wer", errors, len(ref.split()))

    def add_speakers(self, reference: list[Line], output: list[Line]) -> None:
        """Add word errors per speaker (cpWER) and aligned words with a wrong speaker (WDER)."""
        result = cp_word_error_rate(
            _by_speaker(reference), _by_speaker(output), reference_sort=False, hypothesis_sort=False
        )
        self._add("cpwer", result.errors, result.length)
        pairs = _aligned_speakers(reference, output)
        self._add("wder", sum(pairs.values()) - _best_mapping(pairs), sum(pairs.values()))

    def add_turns(self, reference: list[Turn], output: tuple[Turn, ...], length_s: float, collar_s: float) -> None:
        """Add seconds of diarization errors. `collar_s` is one side, as in NIST's; pyannote takes both together."""
        metric = DiarizationErrorRate(collar=2 * collar_s)
        uem = Timeline([Segment(0, length_s)])
        parts = metric.compute_components(_annotation(reference), _annotation(output), uem=uem)
        self._add("der", parts["false alarm"] + parts["missed detection"] + parts["confusion"], parts["total"])

    def add_time(self, audio_s: float, asr_s: float, diarizer_s: float, total_s: float) -> None:
        """Add the seconds of one recording: per model and from file to result."""
        for name, seconds in {"audio_s": audio_s, "asr_s": asr_s, "diarizer_s": diarizer_s, "s": total_s}.items():
            self.totals[name] += seconds

    def add_coverage(self, covered_s: float, speech_s: float) -> None:
        """Add the seconds of speech that words cover, and those of all speech."""
        self._add("coverage", covered_s, speech_s)

    def report(self) -> dict[str, float]:
        """Return rates in per cent, speeds as multiples of real time, and the references' seconds and words."""
        rates = {
            name: round(100 * self.errors[name] / self.totals[name], 1) for name in self.errors if self.totals[name]
        }
        audio_s = self.totals["audio_s"]
        speeds = {
            f"{part}rtfx": round(audio_s / self.totals[f"{part}s"], 1)
            for part in ("", "asr_", "diarizer_")
            if self.totals[f"{part}s"] > 1e-4 * audio_s  # else it did not run
        }
        return {**rates, **speeds, "audio_s": round(audio_s, 1), "words": int(self.totals["wer"])}

    def _add(self, name: str, errors: float, total: float) -> None:
        self.errors[name] += errors
        self.totals[name] += total


def _text(lines: list[Line]) -> str:
    return " ".join(word for line in lines for word in line.words)


def _by_speaker(lines: list[Line]) -> dict[str, str]:
    speakers = dict.fromkeys(line.speaker for line in lines)
    return {name: _text([line for line in lines if line.speaker == name]) for name in speakers} or {"nobody": ""}


def _aligned_speakers(reference: list[Line], output: list[Line]) -> Counter[tuple[str, str]]:
    """Count (reference speaker, output speaker) over the words that are equal or substituted."""
    expected = [line.speaker for line in reference for _ in line.words]
    actual = [line.speaker for line in output for _ in line.words]
    if not expected or not actual:
        return Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for chunk in jiwer.process_words(_text(reference), _text(output)).alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            left = expected[chunk.ref_start_idx : chunk.ref_end_idx]
            pairs.update(zip(left, actual[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True))
    return pairs


def _best_mapping(pairs: Counter[tuple[str, str]]) -> int:
    """Return the words that agree under the best one-to-one mapping of output speakers to reference speakers."""
    rows, columns = sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})
    counts = np.array([[pairs[row, column] for column in columns] for row in rows])
    return int(counts[linear_sum_assignment(counts, maximize=True)].sum()) if counts.size else 0


def _annotation(turns: Any) -> Annotation:
    annotation = Annotation(uri="recording")
    for index, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), index] = turn.speaker
    return annotation
