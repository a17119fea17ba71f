"""Spans, windows and the signs of invented words: arithmetic only, no model runs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.backends.asr.hallucination import Decoded, credible, failed, repeats
from deployments.backends.audio.channel_turns import diarize_channels
from deployments.backends.audio.voice_activity import WINDOW_S, Span, complement, intersection, seconds, union, windows
from serve_app.pipeline.types import SAMPLE_RATE, Recording, Word


@st.composite
def disjoint(draw: st.DrawFn) -> list[Span]:
    """Sorted spans with silence between, none longer than a window."""
    spans, at = [], 0.0
    for _ in range(draw(st.integers(0, 20))):
        at += draw(st.floats(0.3, 8))
        length = draw(st.floats(0.1, 29.5))
        spans.append((at, at + length))
        at += length
    return spans


def decoded(text: str, *, span: Span = (0.0, 10.0), logprob: float = -0.3, no_speech: float = 0.0) -> Decoded:
    texts = text.split()
    step = (span[1] - span[0]) / max(1, len(texts))
    words = tuple(Word(span[0] + i * step, span[0] + (i + 1) * step, t, 0.9) for i, t in enumerate(texts))
    return Decoded(span, words, logprob, no_speech, 1.2)


@given(disjoint())
def test_windows_hold_all_speech_once_and_fit_the_model(speech: list[Span]) -> None:
    """No speech is lost, none is read twice, and no window is longer than what Whisper reads."""
    packed = windows(speech, 1000.0)
    assert seconds(intersection(union(packed), speech)) == pytest.approx(seconds(speech))
    assert all(end - start <= WINDOW_S + 1e-6 for start, end in packed)
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(packed))


@given(disjoint())
def test_a_span_and_its_complement_share_nothing_and_leave_nothing_out(spans: list[Span]) -> None:
    """What is not speech is the rest of the recording."""
    rest = complement(spans, 1000.0)
    assert intersection(spans, rest) == []
    assert seconds(spans) + seconds(rest) == pytest.approx(1000.0)


def test_union_bridges_pauses_up_to_the_limit() -> None:
    """Half a second is bridged where half a second is allowed, more is not."""
    assert union([(0.0, 1.0), (1.5, 2.0), (2.6, 3.0)], 0.5) == [(0.0, 2.0), (2.6, 3.0)]


def test_what_is_said_four_times_is_no_loop() -> None:
    """A phrase may be said four times and a word eight times; once more is a loop, all but the first time."""
    phrase = ["so", "I", "was", "like"]
    assert repeats([*phrase * 4, "yes"]) == repeats(["very"] * 8) == repeats(["no"] * 5 + ["I", "did"] * 3) == set()
    assert repeats([*phrase * 5, "yes"]) == set(range(4, 20))
    assert repeats(["you"] * 12) == set(range(1, 12))


@given(st.lists(st.sampled_from(["I", "don't", "know", "no", "very"]), max_size=40))
def test_no_repetition_is_dropped(texts: list[str]) -> None:
    """However often words are repeated, each one is in the transcript."""
    spoken = decoded(" ".join(texts), span=(0.0, 40.0))
    assert credible(spoken, [(0.0, 40.0)]) == tuple(
        replace(word, suspect=index in repeats(texts)) for index, word in enumerate(spoken.words)
    )


def test_a_loop_leaves_the_words_around_it_alone() -> None:
    """Only the repetitions are marked, not the other words of the stretch."""
    words = credible(decoded("we moved it " + "you know " * 6 + "in one night", span=(0.0, 30.0)), [(0.0, 30.0)])
    assert " ".join(word.text for word in words if not word.suspect) == "we moved it you know in one night"
    assert len(words) == 18


def test_a_stretch_the_decoder_takes_for_silence_gives_no_words() -> None:
    """Whisper's own rule: little speech and little certainty."""
    assert credible(decoded("thank you so much", logprob=-1.3, no_speech=0.8), [(0.0, 10.0)]) == ()


def test_a_stock_phrase_over_doubtful_sound_is_dropped_and_a_clear_one_kept() -> None:
    """Thanks at the end of an interview stay, the subtitles' thanks for a hum do not."""
    clear, hum = decoded("Thank you."), decoded("Thank you.", no_speech=0.5)
    assert [word.text for word in credible(clear, [(0.0, 10.0)])] == ["Thank", "you."]
    assert credible(hum, [(0.0, 10.0)]) == ()


def test_words_of_an_unsure_stretch_are_suspect() -> None:
    """They are shown, but never serve as evidence."""
    words = credible(decoded("maybe I led a team", logprob=-1.2), [(0.0, 10.0)])
    assert [word.suspect for word in words] == [True] * 5


def test_words_the_decoder_guessed_are_suspect() -> None:
    """A sentence of low confidence is marked, though its log-probability passes; one or two unsure words are not."""
    guessed = decoded("it is time soon to leave")
    guessed = replace(guessed, words=tuple(replace(word, confidence=0.43) for word in guessed.words))
    assert all(word.suspect for word in credible(guessed, [(0.0, 10.0)]))
    assert not any(word.suspect for word in credible(decoded("it is time soon to leave"), [(0.0, 10.0)]))
    assert not any(word.suspect for word in credible(replace(guessed, words=guessed.words[:2]), [(0.0, 10.0)]))


def test_more_words_than_the_speech_can_hold_fail() -> None:
    """Forty words in two seconds of voice were not said."""
    crowded = decoded("word " * 39 + "end", span=(0.0, 30.0))
    assert failed(replace(crowded, words=crowded.words), [(10.0, 12.0)])
    assert not failed(decoded("five words in ten seconds"), [(0.0, 10.0)])


def test_silent_channels_have_no_turns() -> None:
    """Two channels of digital silence give nobody a turn."""
    silence = np.zeros(5 * SAMPLE_RATE, dtype=np.float32)
    shares: list[float] = []
    found = diarize_channels(Recording(silence, (silence, silence)), shares.append)
    assert found.turns == found.exclusive == ()
    assert shares[-1] == 1.0
