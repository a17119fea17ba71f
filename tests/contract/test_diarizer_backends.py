"""The contract of diarizers, kept by the fake and the default model; and whom the default model tells apart."""

import json
from itertools import pairwise

import numpy as np
import pytest

from deployments.backends import Backend
from deployments.profiles import ModelSpec
from serve_app.pipeline.types import SAMPLE_RATE, Diarization, DiarizationRequest, Recording
from tests.support.backends import evaluation, nothing
from tests.support.world import SAMPLE


@pytest.fixture(params=["real", "fake"])
def diarizer(request: pytest.FixtureRequest) -> Backend:
    if request.param == "real":
        return request.getfixturevalue("pyannote")
    return ModelSpec(backend="fake_diarizer", name="fake").build()


def test_exclusive_turns_never_overlap(diarizer: Backend, interview: Recording) -> None:
    """One voice at a time owns a moment, so a word can be given to it; speakers count from the first heard."""
    found = diarizer.run(DiarizationRequest(interview), nothing)
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(found.exclusive))
    assert {turn.speaker for turn in found.exclusive} <= {turn.speaker for turn in found.turns}
    assert list(dict.fromkeys(turn.speaker for turn in found.turns)) == ["SPEAKER_00", "SPEAKER_01"]


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
