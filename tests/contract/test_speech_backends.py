"""What every speech backend promises, kept by the real weights of the embedded profile and by the fakes alike."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deployments.backends import Backend
from deployments.profiles import ModelSpec
from serve_app.errors import WeightsUnavailable
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
from serve_app.settings import Paths

REPO = Path(__file__).parents[2]
SAMPLE = REPO / "config" / "sample" / "interview.ogg"
EVAL = REPO / ".." / "shared" / "eval"
CUT_S = 30


class Stop(Exception):
    """What a caller raises to cancel."""


def embedded(role: str) -> ModelSpec:
    return ModelSpec.model_validate(yaml.safe_load((Paths().profiles_dir / "embedded.yaml").read_text("utf-8"))[role])


def nothing(*_: Any) -> None:
    """Progress nobody looks at."""


def noise(seconds: float, level: float = 0.05) -> Waveform:
    return (np.random.default_rng(7).standard_normal(int(seconds * SAMPLE_RATE)) * level).astype(np.float32)


def evaluation(path: str) -> Recording:
    if not (EVAL / path).is_file():
        pytest.skip("the evaluation recordings are not beside this checkout")
    return decode(EVAL / path, 7200)


@pytest.fixture(scope="module")
def interview() -> Recording:
    """The first half minute of the bundled sample: two voices."""
    return Recording(decode(SAMPLE, 7200).samples[: CUT_S * SAMPLE_RATE])


@pytest.fixture(scope="module")
def whisper() -> Iterator[Backend]:
    backend = embedded("asr").build()
    backend.load(nothing)
    yield backend
    backend.unload()


@pytest.fixture(scope="module")
def pyannote() -> Iterator[Backend]:
    backend = embedded("diarizer").build()
    backend.load(nothing)
    yield backend
    backend.unload()


@pytest.fixture(params=["real", "fake"])
def transcriber(request: pytest.FixtureRequest) -> Backend:
    if request.param == "real":
        return request.getfixturevalue("whisper")
    return ModelSpec(backend="fake_transcriber", name="fake").build()


@pytest.fixture(params=["real", "fake"])
def diarizer(request: pytest.FixtureRequest) -> Backend:
    if request.param == "real":
        return request.getfixturevalue("pyannote")
    return ModelSpec(backend="fake_diarizer", name="fake").build()


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


def test_transcription_progress_rises_to_one(transcriber: Backend, interview: Recording) -> None:
    """A caller can show it as it comes."""
    shares: list[float] = []
    transcriber.run(TranscriptionRequest(interview, "en"), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_diarization_progress_rises_to_one(diarizer: Backend, interview: Recording) -> None:
    """A caller can show it as it comes."""
    shares: list[float] = []
    diarizer.run(DiarizationRequest(interview), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_what_progress_raises_stops_the_work(transcriber: Backend, diarizer: Backend, interview: Recording) -> None:
    """Cancelling reaches the caller as what it raised, not as a failed model."""

    def stop(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        transcriber.run(TranscriptionRequest(interview, "en"), stop)
    with pytest.raises(Stop):
        diarizer.run(DiarizationRequest(interview), stop)


def test_exclusive_turns_never_overlap(diarizer: Backend, interview: Recording) -> None:
    """One voice at a time owns a moment, so a word can be given to it; speakers count from the first heard."""
    found = diarizer.run(DiarizationRequest(interview), nothing)
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(found.exclusive))
    assert {turn.speaker for turn in found.exclusive} <= {turn.speaker for turn in found.turns}
    assert list(dict.fromkeys(turn.speaker for turn in found.turns)) == ["SPEAKER_00", "SPEAKER_01"]


def test_a_model_can_leave_and_come_back(interview: Recording) -> None:
    """After unload the same object loads again and gives the same words; loading twice does nothing."""
    backend = embedded("asr").build()
    seen: list[tuple[int, int]] = []
    backend.load(lambda *share: seen.append(share))
    first = backend.run(TranscriptionRequest(interview, "en"), nothing)
    backend.load(lambda *_: pytest.fail("loaded twice"))
    backend.unload()
    backend.unload()
    backend.load(nothing)
    assert backend.run(TranscriptionRequest(interview, "en"), nothing) == first
    assert seen[-1] == (backend.weight_bytes(), backend.weight_bytes())
    backend.unload()


def test_altered_weights_are_refused_at_load() -> None:
    """A file with another hash never becomes a model."""
    spec = embedded("asr")
    model = spec.weights["model"]
    altered = model.model_copy(update={"files": dict.fromkeys(model.files, "0" * 64)})
    with pytest.raises(WeightsUnavailable):
        spec.model_copy(update={"weights": {"model": altered}}).build().load(nothing)


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


def test_the_samples_voices_are_told_apart(pyannote: Backend, interview: Recording) -> None:
    """Nine tenths of the talk go to the right one of the two voices."""
    reference = json.loads(SAMPLE.with_suffix(".json").read_text("utf-8"))["turns"]
    found = pyannote.run(DiarizationRequest(interview), nothing).exclusive
    names = {line["speaker"] for line in reference}
    shared = {
        (name, label): sum(
            max(0.0, min(turn.end, line["end"]) - max(turn.start, line["start"]))
            for turn in found
            for line in reference
            if turn.speaker == label and line["speaker"] == name
        )
        for name in names
        for label in ("SPEAKER_00", "SPEAKER_01")
    }
    right = sum(max(shared[name, label] for name in names) for label in ("SPEAKER_00", "SPEAKER_01"))
    assert right >= 0.9 * sum(shared.values())


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


@pytest.mark.parametrize("length", [0, 400, 10 * SAMPLE_RATE])
def test_where_nobody_speaks_there_are_no_turns(pyannote: Backend, length: int) -> None:
    """Silence of any length has no speaker."""
    assert pyannote.run(DiarizationRequest(Recording(np.zeros(length, dtype=np.float32))), nothing) == Diarization(
        (), ()
    )


@pytest.mark.parametrize("seconds", [0.6, 1.5])
def test_a_short_recording_has_one_speaker(pyannote: Backend, interview: Recording, seconds: float) -> None:
    """Less than two seconds of one voice are enough to find it."""
    start = int(pyannote.run(DiarizationRequest(interview), nothing).turns[0].start * SAMPLE_RATE)
    short = Recording(interview.samples[start : start + int(seconds * SAMPLE_RATE)])
    assert {turn.speaker for turn in pyannote.run(DiarizationRequest(short), nothing).turns} == {"SPEAKER_00"}


def test_the_number_of_speakers_is_honoured(pyannote: Backend, interview: Recording) -> None:
    """Told that there is one voice, the clustering does not find two."""
    assert {turn.speaker for turn in pyannote.run(DiarizationRequest(interview, 1), nothing).turns} == {"SPEAKER_00"}


def test_channels_are_speakers(pyannote: Backend, interview: Recording) -> None:
    """Where each voice has a channel, turns come from the channels, an echo 20 dB down is nobody's turn."""
    found = pyannote.run(DiarizationRequest(interview), nothing).exclusive
    left, right = np.zeros_like(interview.samples), np.zeros_like(interview.samples)
    for turn in found:
        span = slice(int(turn.start * SAMPLE_RATE), int(turn.end * SAMPLE_RATE))
        own, other = (left, right) if turn.speaker == "SPEAKER_00" else (right, left)
        own[span] = interview.samples[span]
        other[span] = 0.1 * interview.samples[span]
    by_channel = pyannote.run(DiarizationRequest(Recording(interview.samples, (left, right))), nothing)
    assert _agreement(by_channel, Diarization(found, found)) > 0.9


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


def test_a_language_the_model_does_not_know_is_refused(whisper: Backend, interview: Recording) -> None:
    """An English-only model does not write English words for German speech."""
    with pytest.raises(Exception, match="language"):
        whisper.run(TranscriptionRequest(interview, "de"), nothing)


@pytest.mark.parametrize("name", ["silence_30s.mp3", "tone_440_20s.m4a"])
def test_recordings_without_speech_stay_empty(whisper: Backend, pyannote: Backend, name: str) -> None:
    """The same through a real decoder and its artefacts."""
    recording = evaluation(f"corrupt/generated/{name}")
    assert whisper.run(TranscriptionRequest(recording), nothing).words == ()
    assert pyannote.run(DiarizationRequest(recording), nothing) == Diarization((), ())


def test_a_phone_call_has_two_speakers(pyannote: Backend) -> None:
    """Real voices over a narrow band are told apart."""
    found = pyannote.run(DiarizationRequest(evaluation("conversation/phone_sample/sample.wav")), nothing)
    assert {turn.speaker for turn in found.turns} == {"SPEAKER_00", "SPEAKER_01"}


def _agreement(left: Diarization, right: Diarization) -> float:
    """Share of the exclusive talk of `right` in which `left` names the same speaker."""
    shared = sum(
        max(0.0, min(a.end, b.end) - max(a.start, b.start))
        for a in left.exclusive
        for b in right.exclusive
        if a.speaker == b.speaker
    )
    return shared / sum(turn.end - turn.start for turn in right.exclusive)
