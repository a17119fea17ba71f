"""Talk metrics against counting by hand and against a 10 ms grid on real timed transcripts."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.pipeline.metrics import interruptions, longest_monologue_s, spurts, talk_metrics, talk_ratio
from serve_app.pipeline.sentences import sentences
from serve_app.pipeline.types import Diarization, Transcription, Turn, Utterance, Word

Cells: TypeAlias = npt.NDArray[np.bool_]
Runs: TypeAlias = list[tuple[int, int]]

REPO = Path(__file__).parents[3]
EVAL = REPO / ".." / "shared" / "eval"
SAMPLE = json.loads((REPO / "config" / "sample" / "interview.json").read_text())
NO_WORDS = Transcription((), "en", 0.0, 0.0)


def diarized(*turns: tuple[float, float, str]) -> Diarization:
    made = tuple(Turn(*turn) for turn in turns)
    return Diarization(made, made)


def utterance(start: float, end: float, speaker: str, text: str) -> Utterance:
    pieces = text.split()
    step = (end - start) / len(pieces)
    words = tuple(Word(start + i * step, start + (i + 1) * step, piece) for i, piece in enumerate(pieces))
    return Utterance(start, end, speaker, text, words)


def sample() -> tuple[tuple[Utterance, ...], Diarization]:
    turns = SAMPLE["turns"]
    utterances = tuple(utterance(t["start"], t["end"], t["speaker"], t["text"]) for t in turns)
    return utterances, diarized(*((t["start"], t["end"], t["speaker"]) for t in turns))


def test_sample_interview_measures_as_it_was_written() -> None:
    """The bundled sample holds one interruption, six questions to the candidate and one from them."""
    metrics = talk_metrics(*sample(), Transcription((), "en", 90.0, 81.0))
    assert metrics.interruptions == 1
    assert metrics.questions_asked == {"interviewer": 6, "candidate": 1}
    assert metrics.coverage == 0.9
    assert metrics.median_pause_before_answer_s == pytest.approx(0.7, abs=0.11)


def test_talk_ratio_counts_overlap_for_both() -> None:
    """Where two talk at once, both are talking."""
    assert talk_ratio(spurts(diarized((0, 6, "A"), (4, 8, "B")).turns, 0)) == {"A": 0.6, "B": 0.4}


def test_talk_ratio_counts_doubled_turns_once() -> None:
    """Two overlapping turns of one speaker are one voice."""
    assert talk_ratio(spurts(diarized((0, 4, "A"), (2, 5, "A"), (5, 10, "B")).turns, 0)) == {"A": 0.5, "B": 0.5}


def test_interruption_needs_overlap_floor_and_outlasting() -> None:
    """Cutting in early enough, for long enough, and winning: all three, or it is none."""
    assert interruptions(spurts(diarized((0, 5, "A"), (4, 8, "B")).turns)) == 1
    assert interruptions(spurts(diarized((0, 5, "A"), (4.8, 8, "B")).turns)) == 0, "the end was predictable"
    assert interruptions(spurts(diarized((0, 9, "A"), (4, 8, "B")).turns)) == 0, "did not get the floor"
    assert interruptions(spurts(diarized((0, 5, "A"), (4.4, 5.1, "B")).turns)) == 0, "a backchannel"
    assert interruptions(spurts(diarized((3.5, 5, "A"), (4, 8, "B")).turns)) == 0, "both began together"
    assert interruptions(spurts(diarized((0, 5, "A"), (4, 8, "B"), (5.3, 9, "A")).turns)) == 0, "took a breath"


def test_words_per_minute_leaves_out_pauses_and_invented_words() -> None:
    """Speed is words over own speech; a word the decoder probably invented does not count."""
    words = tuple(Word(i, i + 1, "so", suspect=i == 0) for i in range(11))
    utterances = (Utterance(0, 30, "A", "so", words),)
    assert talk_metrics(utterances, diarized((0, 5, "A"), (25, 30, "A")), NO_WORDS).words_per_minute == {"A": 60.0}


def test_monologue_survives_backchannels_and_short_pauses() -> None:
    """A listener's word does not end a monologue; their sentence or a long silence does."""
    assert longest_monologue_s(spurts(diarized((0, 5, "A"), (5.2, 5.6, "B"), (6, 12, "A")).turns))["A"] == 12
    assert longest_monologue_s(spurts(diarized((0, 5, "A"), (5.2, 7.6, "B"), (8, 12, "A")).turns))["A"] == 5
    assert longest_monologue_s(spurts(diarized((0, 5, "A"), (9, 12, "A")).turns))["A"] == 5


def test_pause_before_answer_is_measured_between_turns() -> None:
    """Turn edges correct the words' times; an answer that comes early pauses for nothing."""
    utterances = (
        utterance(0, 2.2, "A", "Why is that?"),
        utterance(2.6, 5, "B", "It was slow."),
        utterance(5, 6, "A", "Was it?"),
        utterance(5.9, 8, "B", "Yes."),
    )
    turns = diarized((0, 2, "A"), (3, 5, "B"), (5, 6, "A"), (5.8, 8, "B"))
    assert talk_metrics(utterances, turns, NO_WORDS).median_pause_before_answer_s == 0.5


def test_silence_has_no_metrics() -> None:
    """Nobody speaking is no division by zero."""
    metrics = talk_metrics((), Diarization((), ()), NO_WORDS)
    assert (metrics.talk_ratio, metrics.interruptions, metrics.coverage) == ({}, 0, None)
    assert metrics.median_pause_before_answer_s is None


def test_without_diarization_utterances_stand_in() -> None:
    """One speaker without turns still has a ratio and a speed."""
    metrics = talk_metrics((utterance(0, 6, "A", "one two three"),), Diarization((), ()), NO_WORDS)
    assert (metrics.talk_ratio, metrics.words_per_minute) == ({"A": 1.0}, {"A": 30.0})


turn_lists = st.lists(
    st.builds(
        lambda start, length, who: Turn(start / 64, (start + length) / 64, who),
        st.integers(0, 2000),
        st.integers(1, 600),
        st.sampled_from("ABC"),
    ),
    max_size=25,
)


@given(turn_lists)
def test_shares_sum_to_one(turns: list[Turn]) -> None:
    """Rounded shares are still shares."""
    ratio = talk_ratio(spurts(turns, 0))
    assert not ratio or round(sum(ratio.values()), 9) == 1
    assert all(abs(value * 1000 - round(value * 1000)) < 1e-6 for value in ratio.values())


@given(turn_lists)
def test_metrics_of_any_turns_match_the_grid(turns: list[Turn]) -> None:
    """The sweep over turns and a count of cells agree; cells of 1/64 s, so that no limit is a matter of rounding."""
    _compare(turns, 64)


def _timed() -> list[Path]:
    folders = ("text/primock57_consultations", "text/ami_full_meeting_refs", "conversation/osce_interviews")
    return sorted(path for folder in folders for path in (EVAL / folder).glob("*.seglst.json"))


@pytest.mark.skipif(not EVAL.is_dir(), reason="the open evaluation data is not here")
@pytest.mark.parametrize("path", _timed(), ids=lambda path: path.name)
def test_metrics_of_real_conversations_match_the_grid(path: Path) -> None:
    """Consultations, meetings and interviews measure the same when counted in 10 ms cells."""
    segments = json.loads(path.read_text())
    turns = [Turn(round(s["start_time"], 2), round(s["end_time"], 2), s["speaker"]) for s in segments]
    turns = [turn for turn in turns if turn.end > turn.start]
    _compare(turns, 100)
    utterances = tuple(
        utterance(t.start, t.end, t.speaker, s["words"])
        for t, s in zip(turns, segments, strict=True)
        if s["words"].split()
    )
    metrics = talk_metrics(utterances, Diarization(tuple(turns), tuple(turns)), NO_WORDS)
    assert 0.99 < sum(metrics.talk_ratio.values()) < 1.01
    assert sum(metrics.questions_asked.values()) == sum(
        sentence[-1].text.rstrip("\"'”’»)]").endswith("?") for u in utterances for sentence in sentences(u.words)
    )
    assert metrics.words_per_minute == pytest.approx(_words_per_minute(utterances, turns), rel=0.002, abs=0.06)
    assert metrics.median_pause_before_answer_s == pytest.approx(_median_pause(utterances, turns), abs=0.011)


def _compare(turns: Sequence[Turn], rate: int) -> None:
    """Count everything again in cells of 1/rate s."""
    active = _grid(turns, rate)
    runs = {speaker: _runs(cells, rate) for speaker, cells in active.items()}
    assert interruptions(spurts(turns)) == _count_interruptions(runs, rate)
    assert longest_monologue_s(spurts(turns)) == pytest.approx(_longest(runs, rate), abs=0.011)
    ratio = talk_ratio(spurts(turns, 0))
    total = sum(int(cells.sum()) for cells in active.values())
    assert ratio == pytest.approx({who: cells.sum() / total for who, cells in active.items()}, abs=0.0011)


def _words_per_minute(utterances: Sequence[Utterance], turns: Sequence[Turn]) -> dict[str, float]:
    """Blank-separated pieces of text over minutes of 10 ms cells in which the speaker speaks, 3 s or more of them."""
    minutes = {speaker: cells.sum() / 6000 for speaker, cells in _grid(turns, 100).items()}
    words = {speaker: sum(len(u.text.split()) for u in utterances if u.speaker == speaker) for speaker in minutes}
    return {speaker: words[speaker] / spent for speaker, spent in minutes.items() if spent >= 0.05}


def _median_pause(utterances: Sequence[Utterance], turns: Sequence[Turn]) -> float | None:
    """Every question against the next utterance of somebody else; edges are the nearest changes in their cells."""
    edges = {
        speaker: (np.flatnonzero(np.diff(padded) == 1) / 100, np.flatnonzero(np.diff(padded) == -1) / 100)
        for speaker, cells in _grid(turns, 100).items()
        for padded in [np.concatenate([[0], cells.astype(int), [0]])]
    }

    def near(moments: npt.NDArray[np.float64], moment: float) -> float:
        best = float(moments[np.argmin(np.abs(moments - moment))])
        return best if abs(best - moment) <= 1.005 else moment

    pauses = [
        max(0.0, near(edges[b.speaker][0], b.start) - near(edges[a.speaker][1], a.end))
        for a, b in pairwise(utterances)
        if a.speaker != b.speaker and a.text.rstrip("\"'”’»)] ").endswith("?")
    ]
    return float(np.median(pauses)) if pauses else None


def _grid(turns: Sequence[Turn], rate: int) -> dict[str, Cells]:
    """For each speaker, the cells they speak in."""
    width = max((round(turn.end * rate) for turn in turns), default=0)
    active = {turn.speaker: np.zeros(width, bool) for turn in turns}
    for turn in turns:
        active[turn.speaker][round(turn.start * rate) : round(turn.end * rate)] = True
    return active


def _runs(cells: Cells, rate: int) -> Runs:
    """Stretches of speech in cells, pauses of up to half a second closed."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], cells.astype(int), [0]])))
    runs: Runs = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] <= rate // 2:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _count_interruptions(runs: dict[str, Runs], rate: int) -> int:
    return sum(
        any(
            other != speaker and a + rate <= start and start + rate // 2 <= b < end
            for other, theirs in runs.items()
            for a, b in theirs
        )
        for speaker, own in runs.items()
        for start, end in own
        if end - start >= rate
    )


def _longest(runs: dict[str, Runs], rate: int) -> dict[str, float]:
    """For each speaker, the longest chain of stretches; a pause of over 3 s and another's stretch of 1 s part it."""
    longest = {}
    for speaker, own in runs.items():
        takers = [(a, b, s) for s, theirs in runs.items() if s != speaker for a, b in theirs if b - a >= rate]
        best = begin = 0
        for index, (start, end) in enumerate(own):
            last = own[index - 1] if index else (-10 * rate, -10 * rate)
            parted = any((*last, speaker) < taker < (start, end, speaker) for taker in takers)
            begin = start if parted or start - last[1] > 3 * rate else begin
            best = max(best, end - begin)
        longest[speaker] = best / rate
    return longest
