"""The contract of speech recognisers, kept by the fake and the default model; and what the default model recognises."""

import json
from difflib import SequenceMatcher

import numpy as np
import pytest

from deployments.backends import Backend
from deployments.profiles import ModelSpec
from serve_app.errors import LanguageUnsupported
from serve_app.pipeline.alignment import align
from serve_app.pipeline.audio import decode
from serve_app.pipeline.transcribe_parts import join
from serve_app.pipeline.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizationRequest,
    Part,
    Recording,
    Transcription,
    TranscriptionRequest,
    Waveform,
)
from tests.support.backends import CUT_S, evaluation, noise, nothing
from tests.support.world import SAMPLE


@pytest.fixture(params=["whisper", "small_whisper", "fake"])
def transcriber(request: pytest.FixtureRequest) -> Backend:
    if request.param != "fake":
        return request.getfixturevalue(request.param)
    return ModelSpec(backend="fake_transcriber", name="fake").build()


def test_words_lie_in_order_inside_the_recording(transcriber: Backend, interview: Recording) -> None:
    """Each word has a length, no surrounding blanks, and starts no earlier than the one before."""
    words = transcriber.run(TranscriptionRequest(interview, "en"), nothing).words
    assert len(words) > 10
    assert all(0 <= word.start < word.end <= interview.duration_s + 0.1 for word in words)
    assert all(word.text and word.text == word.text.strip() for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_parts_join_without_a_seam(transcriber: Backend) -> None:
    """Three parts, one after the other, are the words of the whole, and cover what it covers."""
    sample = decode(SAMPLE, 7200)
    whole = transcriber.run(TranscriptionRequest(sample, "en"), nothing)
    parts = [transcriber.run(TranscriptionRequest(sample, "en", Part(index, 3)), nothing) for index in range(3)]
    assert all(part.words for part in parts)
    assert [word.text for word in join(parts).words] == [word.text for word in whole.words]
    assert join(parts).speech_s == pytest.approx(whole.speech_s)
    assert join(parts).covered_s == pytest.approx(whole.covered_s)


def test_the_sample_is_recognised(whisper: Backend, interview: Recording) -> None:
    """At least nine in ten of the reference's words of the first turns come out, and most speech is covered."""
    reference = json.loads(SAMPLE.with_suffix(".json").read_text("utf-8"))
    spoken = [line["text"] for line in reference["turns"] if line["end"] < CUT_S - 1]
    expected = {word.strip(".,?!").lower() for line in spoken for word in line.split()}
    found = whisper.run(TranscriptionRequest(interview), nothing)
    recognised = {word.text.strip(".,?!").lower() for word in found.words}
    assert len(expected & recognised) >= 0.9 * len(expected)
    assert 0.8 * found.speech_s <= found.covered_s <= found.speech_s
    assert found.language == "en"


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, dtype=np.float32),
        np.zeros(400, dtype=np.float32),
        np.zeros(10 * SAMPLE_RATE, dtype=np.float32),
        (0.3 * np.sin(2 * np.pi * 440 * np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32),
        noise(10),
        noise(10, level=0.5),
    ],
    ids=["nothing", "a click", "silence", "tone", "noise", "loud noise"],
)
def test_where_nobody_speaks_there_are_no_words(whisper: Backend, samples: Waveform) -> None:
    """Nothing is invented over silence, a tone or noise."""
    assert whisper.run(TranscriptionRequest(Recording(samples)), nothing) == Transcription((), "en", 0, 0)


def test_two_channels_are_read_apart_where_both_talk(whisper: Backend, pyannote: Backend, interview: Recording) -> None:
    """Two voices at the same time, hopeless in the mix, come out word for word on their own channels."""
    first, second = interview.samples[: 5 * SAMPLE_RATE], interview.samples[22 * SAMPLE_RATE : 27 * SAMPLE_RATE]
    both = Recording((first + second) / 2, (first, second))
    apart = [whisper.run(TranscriptionRequest(Recording(one), "en"), nothing).words for one in both.channels]
    who = pyannote.run(DiarizationRequest(both), nothing)
    found = align(whisper.run(TranscriptionRequest(both, "en"), nothing), who)
    for words, label in zip(apart, who.channels, strict=True):
        received = [word.text for u in found if u.speaker == label for word in u.words]
        assert SequenceMatcher(None, [word.text for word in words], received).ratio() > 0.85


def test_a_language_the_model_does_not_know_is_refused(small_whisper: Backend, interview: Recording) -> None:
    """An English-only model does not write English words for German speech."""
    with pytest.raises(LanguageUnsupported):
        small_whisper.run(TranscriptionRequest(interview, "de"), nothing)


@pytest.mark.parametrize("name", ["silence_30s.mp3", "tone_440_20s.m4a"])
def test_recordings_without_speech_stay_empty(whisper: Backend, pyannote: Backend, name: str) -> None:
    """The same through a real decoder and its artefacts."""
    recording = evaluation(f"corrupt/generated/{name}")
    assert whisper.run(TranscriptionRequest(recording), nothing).words == ()
    assert pyannote.run(DiarizationRequest(recording), nothing) == Diarization((), ())
