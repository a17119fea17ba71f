"""Speech to words with faster-whisper (CTranslate2): voice activity, windows, decoding, and no invented text.

Where each speaker has a channel, each is read by itself, so that two who talk at once are both understood.
A recording is cut at silences into windows of at most 30 s. Windows are decoded in batches; one that fails a trust
gate is decoded again with Whisper's temperature fallback, and so is, once, every stretch of speech of two seconds or
more that got no words. Memory is bounded by the batch, not by the length of the recording.
"""

import ctypes
import gc
import logging
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import ctranslate2
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.transcribe import Segment

from deployments.backends import LoadProgress
from deployments.backends.asr.hallucination import Decoded, credible, failed
from deployments.backends.audio.channel_turns import portion, spoken_by_channel
from deployments.backends.audio.voice_activity import (
    Span,
    complement,
    intersection,
    seconds,
    share_of,
    speech_spans,
    union,
    windows,
)
from deployments.backends.device import choose
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter, reporting
from deployments.weights import Weights
from serve_app.errors import InferenceFailed, WeightsUnavailable
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.transcribe_parts import join
from serve_app.pipeline.types import SAMPLE_RATE, Part, Recording, Transcription, TranscriptionRequest, Waveform, Word

GAP_S = 2.0
"""Speech without a word for this long is decoded again: shorter ones are mostly breaths, laughs and "mhm"."""

BRIDGE_S = 0.5
"""Pauses up to this long between two words count as covered: word ends come out early by up to that much."""

MIN_WORD_S = 0.02
"""Length of a word that the attention alignment gave none: one of its frames."""

FALLBACK = (0.0, 0.2, 0.4, 0.6)
"""Temperatures of a second try. 0.8 and 1.0 of the reference implementation mostly yield fluent inventions."""

UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
"""Languages written without blanks, where every token is a word of its own."""

VAD_SHARE = 0.05
"""Share of the time that voice activity detection takes: 1.5 s of 570 s of audio beside 25 s of decoding."""

Where: TypeAlias = tuple[list[Span], list[Span]]
"""What a part has to do, and all the speech of the recording."""

logger = logging.getLogger(__name__)


class FasterWhisper:
    """A Whisper model in CTranslate2 form. See `Backend`.

    Options: `device` is `auto`, `cpu` or `cuda`; `compute_type` as in CTranslate2; `threads` 0 lets CTranslate2 choose.
    """

    def __init__(  # noqa: PLR0913 — keyword-only options of a profile, not a call people write
        self,
        *,
        name: str,
        weights: dict[str, Weights],
        device: str = "auto",
        compute_type: str = "int8",
        beam_size: int = 5,
        batch_size: int = 4,
        threads: int = 0,
    ) -> None:
        self.name = name
        self.device = choose(device)
        self._weights = weights["model"]
        self._compute_type = compute_type if self.device != "cpu" else _without_float16(compute_type)
        self._beam_size, self._batch_size, self._threads = beam_size, batch_size, threads
        self._model: _Stoppable | None = None

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`."""
        return self._weights.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Backend.load`. CTranslate2 reads its one file in one call, so progress knows only both ends."""
        if self._model is not None:
            return
        path, total = self._weights.locate(), self.weight_bytes()
        progress(0, total)
        kind, _, index = self.device.partition(":")
        if kind == "cuda":
            _preload_cublas()
        ctranslate2.set_random_seed(0)  # the fallback samples; the same recording shall give the same words
        with job_failures(self.name, WeightsUnavailable):
            self._model = _Stoppable(
                str(path),
                device=kind,
                device_index=int(index or 0),
                compute_type=self._compute_type,
                cpu_threads=self._threads,
                local_files_only=True,
            )
        progress(total, total)

    def unload(self) -> None:
        """See `Backend.unload`."""
        if self._model is not None:
            self._model.model.unload_model()
            self._model = None
            gc.collect()

    def run(self, request: TranscriptionRequest, progress: Progress) -> Transcription:
        """See `Backend.run`. Raises `InferenceFailed` for a language the model does not know.

        Every part finds the speech of the whole recording and takes its share of the same windows, so that parts join
        without a seam. Finding the speech again costs each part a twentieth of the time.
        """
        model = self._loaded()
        with reporting(progress) as model.reporter:
            return self._transcribe(model, request)

    def _transcribe(self, model: "_Stoppable", request: TranscriptionRequest) -> Transcription:
        audio: Recording = request.audio
        progress, part = model.reporter, request.part
        voices = audio.channels or (audio.samples,)
        spoken = _spoken(audio, portion(progress, 0, VAD_SHARE))
        chosen = self._language(model, audio.samples, next(filter(None, spoken), []), request.language)
        heard = [
            self._voice(model, samples, speech, part, chosen, portion(progress, VAD_SHARE + index * each, each))
            for each in [(1 - VAD_SHARE) / len(voices)]
            for index, (samples, speech) in enumerate(zip(voices, spoken, strict=True))
        ]
        progress(1.0)
        return join([_of_channel(found, index) for index, found in enumerate(heard)] if audio.channels else heard)

    def _voice(  # noqa: PLR0913, PLR0917 — one voice of one recording, with all that was decided about it
        self, model: WhisperModel, samples: Waveform, speech: list[Span], part: Part, language: str, progress: Progress
    ) -> Transcription:
        """Transcribe the mix, or one channel of a recording that has one for each speaker."""
        spans = share_of(windows(speech, len(samples) / SAMPLE_RATE), part)
        own = intersection(speech, union(spans))
        words = self._first_pass(model, samples, (spans, speech), language, progress)
        words = self._fill_gaps(model, samples, (own, speech), words, language)
        return Transcription(words, language, seconds(own), seconds(intersection(own, _covered(words))))

    def _loaded(self) -> "_Stoppable":
        if self._model is None:
            raise InferenceFailed(f"{self.name} was asked to transcribe before its weights were loaded.")
        return self._model

    def _language(self, model: WhisperModel, samples: Waveform, speech: list[Span], asked: str | None) -> str:
        """The language to decode in: the one asked for, the only one, or the likeliest in the first minute."""
        wanted = asked.split("-")[0].lower() if asked else None
        if wanted is not None and wanted not in model.supported_languages:
            raise InferenceFailed(f"{self.name} does not transcribe the language {asked!r}.")
        if wanted is not None or not model.model.is_multilingual or not speech:
            return wanted or "en"
        start = int(speech[0][0] * SAMPLE_RATE)
        with job_failures(self.name):
            found, _, _ = model.detect_language(
                samples[start : start + 60 * SAMPLE_RATE], language_detection_segments=2
            )
        return str(found)

    def _first_pass(
        self, model: WhisperModel, samples: Waveform, where: Where, language: str, progress: Progress
    ) -> tuple[Word, ...]:
        """Decode every window, a batch at a time, and once more what fails a gate."""
        spans, speech = where
        words: list[Word] = []
        for at in range(0, len(spans), self._batch_size):
            batch = spans[at : at + self._batch_size]
            for decoded in self._decode_batch(model, samples, batch, language):
                tries = (
                    self._decode_again(model, samples, decoded.span, language) if failed(decoded, speech) else [decoded]
                )
                words += [word for tried in tries for word in credible(tried, speech)]
            progress(min(1.0, (at + len(batch)) / len(spans)) * 0.98)
        return _in_order(words, len(samples) / SAMPLE_RATE)

    def _fill_gaps(
        self, model: WhisperModel, samples: Waveform, where: Where, words: tuple[Word, ...], language: str
    ) -> tuple[Word, ...]:
        """Decode speech that got no words once more, on its own, and add what lies inside it."""
        own, speech = where
        duration_s = len(samples) / SAMPLE_RATE
        bare = intersection(own, complement(_covered(words), duration_s))
        gaps = [gap for gap in bare if gap[1] - gap[0] >= GAP_S]
        found: list[Word] = []
        for start, end in gaps:
            span = (max(0.0, start - 0.2), min(duration_s, end + 0.2))
            decoded = self._decode_again(model, samples, span, language)
            found += [
                word
                for tried in decoded
                for word in credible(tried, speech)
                if start <= (word.start + word.end) / 2 <= end
            ]
        logger.debug("%d gaps decoded again gave %d words", len(gaps), len(found))
        return _in_order([*words, *found], duration_s)

    def _decode_batch(self, model: WhisperModel, samples: Waveform, spans: list[Span], language: str) -> list[Decoded]:
        """Decode windows side by side at temperature 0: one result per window."""
        clips = [{"start": start, "end": end} for start, end in spans]
        with job_failures(self.name):
            segments, _ = BatchedInferencePipeline(model).transcribe(
                samples,
                language=language,
                clip_timestamps=clips,
                batch_size=self._batch_size,
                beam_size=self._beam_size,
                word_timestamps=True,
            )
            found = list(segments)
        return [_decoded(segment, span, 0.0, language) for segment, span in zip(found, spans, strict=True)]

    def _decode_again(self, model: WhisperModel, samples: Waveform, span: Span, language: str) -> list[Decoded]:
        """Decode one stretch with temperature fallback; Whisper's own silence rule may leave nothing."""
        start, end = (int(edge * SAMPLE_RATE) for edge in span)
        with job_failures(self.name):
            segments, _ = model.transcribe(
                samples[start:end],
                language=language,
                beam_size=self._beam_size,
                temperature=FALLBACK,
                condition_on_previous_text=False,
                word_timestamps=True,
            )
            found = list(segments)
        return [
            _decoded(segment, (span[0] + segment.start, span[0] + segment.end), span[0], language) for segment in found
        ]


class _Stoppable(WhisperModel):  # type: ignore[misc] # the library has no types
    """A model that can be stopped around each of its steps: encoder, text, times of the words."""

    reporter: ProgressReporter

    def encode(self, features: Any) -> Any:
        """See `WhisperModel`."""
        self.reporter.repeat()
        encoded = super().encode(features)
        self.reporter.repeat()
        return encoded

    def find_alignment(self, *args: Any, **kwargs: Any) -> Any:
        """See `WhisperModel`."""
        self.reporter.repeat()
        return super().find_alignment(*args, **kwargs)


def _spoken(audio: Recording, progress: Progress) -> list[list[Span]]:
    """Speech of the mix; or of each channel, less what leaks over from another one."""
    return spoken_by_channel(audio, progress) if audio.channels else [speech_spans(audio.samples, progress)]


def _of_channel(found: Transcription, channel: int) -> Transcription:
    return replace(found, words=tuple(replace(word, channel=channel) for word in found.words))


def _decoded(segment: Segment, span: Span, offset_s: float, language: str) -> Decoded:
    return Decoded(
        span,
        _words(segment.words or [], offset_s, joins=language not in UNSPACED),
        segment.avg_logprob,
        segment.no_speech_prob,
        segment.compression_ratio,
    )


def _words(found: list[Any], offset_s: float, *, joins: bool) -> tuple[Word, ...]:
    """Our words from faster-whisper's. A piece without a leading blank ("-op" of "co-op") joins the word before."""
    words: list[Word] = []
    for piece in found:
        start, end, text = float(piece.start + offset_s), float(piece.end + offset_s), piece.word.strip()
        if not text:
            continue
        if joins and words and not piece.word.startswith(" "):
            last = words.pop()
            start, text = last.start, last.text + text
            words.append(Word(start, end, text, min(last.confidence, float(piece.probability))))
        else:
            words.append(Word(start, end, text, float(piece.probability)))
    return tuple(words)


def _in_order(words: list[Word], duration_s: float) -> tuple[Word, ...]:
    """Words by start, inside the recording, each of some length: one word in ten is aligned to a single instant."""
    placed = []
    for word in words:
        start = min(max(0.0, word.start), max(0.0, duration_s - MIN_WORD_S))
        placed.append(replace(word, start=start, end=max(start + MIN_WORD_S, min(word.end, duration_s))))
    return tuple(sorted(placed, key=lambda word: (word.start, word.end)))


def _covered(words: tuple[Word, ...]) -> list[Span]:
    return union(((word.start, word.end) for word in words), BRIDGE_S)


def _without_float16(compute_type: str) -> str:
    """CTranslate2 refuses half precision on a CPU; `int8_float16` there means int8 with float32 around it."""
    return {"int8_float16": "int8", "int8_bfloat16": "int8", "float16": "float32", "bfloat16": "float32"}.get(
        compute_type, compute_type
    )


def _preload_cublas() -> None:
    """Load cuBLAS 12 from `nvidia-cublas-cu12` where installed: CTranslate2 looks for it by name, torch brings 13."""
    spec = find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for library in ("libcublasLt.so.12", "libcublas.so.12"):
            path = Path(root) / "cublas" / "lib" / library
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
