"""Transcribes speech with faster-whisper (CTranslate2) and drops hallucinated text.

1. Voice activity detection finds the speech. A recording with one channel per speaker is transcribed channel by
   channel, so overlapping speech is understood.
2. The speech is cut at silences into windows of at most 30 s, which are decoded in batches. A multilingual model first
   listens to the longest ones for the language.
3. A window that fails a check of `hallucination.py` is decoded again with Whisper's temperature fallback.
4. Speech of two seconds or more without words is decoded once more on its own.
5. If the words of an English recording were not understood, all of them are suspect.

Memory depends on the batch size, not on the length of the recording.
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
from deployments.backends.asr.hallucination import Decoded, credible, failed, guessed
from deployments.backends.asr.language import ENGLISH, detect_language, understood
from deployments.backends.audio.channel_turns import portion, speech_by_channel
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
from deployments.backends.device import choose_device
from deployments.backends.failures import job_failures
from deployments.backends.progress import ProgressReporter, reporting
from deployments.weights import Weights
from serve_app.errors import InferenceFailed, LanguageUnsupported, WeightsUnavailable
from serve_app.pipeline.languages import UNKNOWN
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.transcribe_parts import join
from serve_app.pipeline.types import SAMPLE_RATE, Part, Recording, Transcription, TranscriptionRequest, Waveform, Word

GAP_S = 2.0
"""Speech without words is decoded again from this length on. Shorter stretches are mostly breaths, laughs and "mhm"."""

BRIDGE_S = 0.5
"""Pauses of up to this length between two words count as covered: word ends are up to 0.5 s too early."""

MIN_WORD_S = 0.02
"""Shortest word: one frame of the attention alignment, which gives some words no length at all."""

FALLBACK = (0.0, 0.2, 0.4, 0.6)
"""Temperatures of the second attempt. The reference implementation adds 0.8 and 1.0, which mostly hallucinate."""

UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
"""Languages written without spaces: every token is a word."""

VAD_SHARE = 0.05
"""Voice activity detection's share of the time: 1.5 s beside 25 s of decoding, for 570 s of audio."""

WorkSpans: TypeAlias = tuple[list[Span], list[Span]]
"""The spans a part decodes, and all speech of the recording."""

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
        self.device = choose_device(device)
        self._weights = weights["model"]
        self._compute_type = compute_type if self.device != "cpu" else _without_float16(compute_type)
        self._beam_size, self._batch_size, self._threads = beam_size, batch_size, threads
        self._model: _CancelableModel | None = None

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`."""
        return self._weights.size()

    def load(self, progress: LoadProgress) -> None:
        """See `Backend.load`. CTranslate2 reads one file in one call, so progress is either 0 or complete."""
        if self._model is not None:
            return
        path, total = self._weights.locate(), self.weight_bytes()
        progress(0, total)
        kind, _, index = self.device.partition(":")
        if kind == "cuda":
            _preload_cublas()
        ctranslate2.set_random_seed(0)  # the fallback samples: a fixed seed makes it repeatable
        with job_failures(self.name, WeightsUnavailable):
            self._model = _CancelableModel(
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
        """See `Backend.run`. Raises `LanguageUnsupported` for a language the model does not know.

        Every part detects the speech of the whole recording and decodes its share of the same windows, so the joined
        parts equal one run. The repeated detection costs each part 5 % of its time.
        """
        model = self._loaded()
        with reporting(progress) as model.reporter:
            return self._transcribe(model, request)

    def _transcribe(self, model: "_CancelableModel", request: TranscriptionRequest) -> Transcription:
        audio: Recording = request.audio
        progress, part = model.reporter, request.part
        voices = audio.channels or (audio.samples,)
        speech_by_voice = _detect_speech(audio, portion(progress, 0, VAD_SHARE))
        speech = union(span for spans in speech_by_voice for span in spans)
        language = self._language(model, audio.samples, speech, request.language)
        transcriptions = [
            self._transcribe_voice(
                model, samples, speech, part, language, portion(progress, VAD_SHARE + index * each, each)
            )
            for each in [(1 - VAD_SHARE) / len(voices)]
            for index, (samples, speech) in enumerate(zip(voices, speech_by_voice, strict=True))
        ]
        progress(1.0)
        if audio.channels:
            transcriptions = [_with_channel(one, index) for index, one in enumerate(transcriptions)]
        return join(transcriptions)

    def _transcribe_voice(  # noqa: PLR0913, PLR0917 — a window pass needs all of it
        self, model: WhisperModel, samples: Waveform, speech: list[Span], part: Part, language: str, progress: Progress
    ) -> Transcription:
        """Transcribe the mix, or one channel of a recording with one channel per speaker.

        What is decoded as English and not understood is in another language: all its words are suspect.
        """
        spans = share_of(windows(speech, len(samples) / SAMPLE_RATE), part)
        own = intersection(speech, union(spans))
        first, words = self._first_pass(model, samples, (spans, speech), language, progress)
        words = self._fill_gaps(model, samples, (own, speech), words, language)
        if language == ENGLISH and not understood(first):
            language, words = UNKNOWN, tuple(replace(word, suspect=True) for word in words)
        return Transcription(words, language, seconds(own), seconds(intersection(own, _covered(words))))

    def _loaded(self) -> "_CancelableModel":
        if self._model is None:
            raise InferenceFailed(f"{self.name} was asked to transcribe before its weights were loaded.")
        return self._model

    def _language(self, model: WhisperModel, samples: Waveform, speech: list[Span], stated: str | None) -> str:
        """Return the language to decode: the stated one, the model's only one, or the one that is heard."""
        language = stated.split("-")[0].lower() if stated else None
        if language is not None and not _knows(model, language):
            raise LanguageUnsupported(f"{self.name} does not transcribe the language {stated!r}.")
        if not model.model.is_multilingual or not speech or language not in {None, ENGLISH}:
            return language or ENGLISH
        with job_failures(self.name):
            return detect_language(model, samples, windows(speech, len(samples) / SAMPLE_RATE), language)

    def _first_pass(
        self, model: WhisperModel, samples: Waveform, work: WorkSpans, language: str, progress: Progress
    ) -> tuple[list[Word], tuple[Word, ...]]:
        """Decode all windows in batches. Returns all words of this, and the words to keep.

        A window that fails a check is decoded again.

        Where the first attempt guessed, the second one's words are suspect: a loop of invented words looks sure of
        itself. In an hour of real interviews this was one window, and it was a loop.
        """
        spans, speech = work
        first: list[Word] = []
        words: list[Word] = []
        for at in range(0, len(spans), self._batch_size):
            batch = spans[at : at + self._batch_size]
            for decoded in self._decode_batch(model, samples, batch, language):
                first += decoded.words
                if not failed(decoded, speech):
                    words += credible(decoded, speech)
                    continue
                again = self._decode_again(model, samples, decoded.span, language)
                found = [word for attempt in again for word in credible(attempt, speech)]
                words += [replace(word, suspect=True) for word in found] if guessed(decoded) else found
            progress(min(1.0, (at + len(batch)) / len(spans)) * 0.98)
        return first, _in_order(words, len(samples) / SAMPLE_RATE)

    def _fill_gaps(
        self, model: WhisperModel, samples: Waveform, work: WorkSpans, words: tuple[Word, ...], language: str
    ) -> tuple[Word, ...]:
        """Decode speech without words once more, on its own, and add the words that lie inside it."""
        own, speech = work
        duration_s = len(samples) / SAMPLE_RATE
        uncovered = intersection(own, complement(_covered(words), duration_s))
        gaps = [gap for gap in uncovered if gap[1] - gap[0] >= GAP_S]
        added: list[Word] = []
        for start, end in gaps:
            span = (max(0.0, start - 0.2), min(duration_s, end + 0.2))
            decoded = self._decode_again(model, samples, span, language)
            added += [
                word
                for attempt in decoded
                for word in credible(attempt, speech)
                if start <= (word.start + word.end) / 2 <= end
            ]
        logger.debug("%d gaps decoded again gave %d words", len(gaps), len(added))
        return _in_order([*words, *added], duration_s)

    def _decode_batch(self, model: WhisperModel, samples: Waveform, spans: list[Span], language: str) -> list[Decoded]:
        """Decode windows in one batch at temperature 0. Returns one result per window."""
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
            decoded = list(segments)
        return [_decoded(segment, span, 0.0, language) for segment, span in zip(decoded, spans, strict=True)]

    def _decode_again(self, model: WhisperModel, samples: Waveform, span: Span, language: str) -> list[Decoded]:
        """Decode one span with temperature fallback. Whisper's own silence rule may return nothing."""
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
            decoded = list(segments)
        return [
            _decoded(segment, (span[0] + segment.start, span[0] + segment.end), span[0], language)
            for segment in decoded
        ]


class _CancelableModel(WhisperModel):  # type: ignore[misc] # the library has no types
    """A model that reports progress around each step (encoder, decoder, word alignment), so a cancel can stop it."""

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


def _detect_speech(audio: Recording, progress: Progress) -> list[list[Span]]:
    """Return the speech of the mix; or of each channel, without the echo of another channel."""
    return speech_by_channel(audio, progress) if audio.channels else [speech_spans(audio.samples, progress)]


def _knows(model: WhisperModel, language: str) -> bool:
    """Whether a model has been trained on a language. Those before large-v3 have no token for some."""
    return language in model.supported_languages and (
        not model.model.is_multilingual or model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
    )


def _with_channel(transcription: Transcription, channel: int) -> Transcription:
    return replace(transcription, words=tuple(replace(word, channel=channel) for word in transcription.words))


def _decoded(segment: Segment, span: Span, offset_s: float, language: str) -> Decoded:
    return Decoded(
        span,
        _words(segment.words or [], offset_s, spaced=language not in UNSPACED),
        segment.avg_logprob,
        segment.no_speech_prob,
        segment.compression_ratio,
    )


def _words(pieces: list[Any], offset_s: float, *, spaced: bool) -> tuple[Word, ...]:
    """Convert faster-whisper's words. A piece without a leading space ("-op" of "co-op") joins the word before it."""
    words: list[Word] = []
    for piece in pieces:
        start, end, text = float(piece.start + offset_s), float(piece.end + offset_s), piece.word.strip()
        if not text:
            continue
        if spaced and words and not piece.word.startswith(" "):
            last = words.pop()
            start, text = last.start, last.text + text
            words.append(Word(start, end, text, min(last.confidence, float(piece.probability))))
        else:
            words.append(Word(start, end, text, float(piece.probability)))
    return tuple(words)


def _in_order(words: list[Word], duration_s: float) -> tuple[Word, ...]:
    """Sort words by start, clip them to the recording and give each a length: one in ten is aligned to one instant."""
    placed = []
    for word in words:
        start = min(max(0.0, word.start), max(0.0, duration_s - MIN_WORD_S))
        placed.append(replace(word, start=start, end=max(start + MIN_WORD_S, min(word.end, duration_s))))
    return tuple(sorted(placed, key=lambda word: (word.start, word.end)))


def _covered(words: tuple[Word, ...]) -> list[Span]:
    return union(((word.start, word.end) for word in words), BRIDGE_S)


def _without_float16(compute_type: str) -> str:
    """Replace half precision, which CTranslate2 refuses on a CPU: `int8_float16` becomes int8 with float32."""
    return {"int8_float16": "int8", "int8_bfloat16": "int8", "float16": "float32", "bfloat16": "float32"}.get(
        compute_type, compute_type
    )


def _preload_cublas() -> None:
    """Load cuBLAS 12 from `nvidia-cublas-cu12` if installed: CTranslate2 needs version 12, torch brings 13."""
    spec = find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for library in ("libcublasLt.so.12", "libcublas.so.12"):
            path = Path(root) / "cublas" / "lib" / library
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
