"""Corrected transcripts: times of words, turns of moved lines, originals."""

from hypothesis import given
from hypothesis import strategies as st

from serve_app.pipeline.corrections import (
    CorrectedTranscript,
    Correction,
    OriginalLine,
    correct,
    retimed,
    with_moved_turns,
)
from serve_app.pipeline.types import Diarization, Turn, Utterance, Word

WORDS = (
    Word(0.0, 0.4, "I"),
    Word(0.5, 1.0, "found", 0.3, suspect=True),
    Word(1.0, 1.4, "the"),
    Word(1.6, 2.0, "lark."),
)
LINE = Utterance(0.0, 2.0, "SPEAKER_01", "I found the lark.", WORDS)


def test_words_that_stay_keep_their_times() -> None:
    """A replaced word has the time of what it replaces; a person's words are certain."""
    words = retimed(WORDS, "I found the lock.", LINE)
    assert words == (
        Word(0.0, 0.4, "I"), Word(0.5, 1.0, "found"), Word(1.0, 1.4, "the"), Word(1.6, 2.0, "lock."),
    )  # fmt: skip


def test_new_words_share_the_gap_between_their_neighbours() -> None:
    """Inserted words lie between the words around them; several in place of one share its time."""
    inserted = retimed(WORDS, "I found the old lark.", LINE)
    assert [(word.start, word.end) for word in inserted[3:]] == [(1.4, 1.6), (1.6, 2.0)]
    split = retimed(WORDS, "I found the dead lock.", LINE)
    assert [round(word.end, 2) for word in split[3:]] == [1.8, 2.0]


@given(st.lists(st.sampled_from(["i", "found", "the", "lock", "lark", "and"]), min_size=1, max_size=12))
def test_times_stay_in_order_within_the_line(texts: list[str]) -> None:
    """Whatever is written, every word is there, in order, within the line's time."""
    words = retimed(WORDS, " ".join(texts), LINE)
    assert [word.text for word in words] == texts
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert LINE.start <= times[0] <= times[-1] <= LINE.end


def test_the_first_original_of_a_line_is_kept() -> None:
    """Two corrections of one line leave the recogniser's text and speaker; names add up."""
    once = correct(CorrectedTranscript((LINE,)), [Correction(0, text="I found it.")], {"SPEAKER_01": "Ann"})
    twice = correct(once, [Correction(0, speaker="SPEAKER_00")], {"SPEAKER_00": "Bo"})
    assert twice.originals == {0: OriginalLine("SPEAKER_01", "I found the lark.")}
    assert (twice.utterances[0].speaker, twice.utterances[0].text) == ("SPEAKER_00", "I found it.")
    assert twice.names == {"SPEAKER_01": "Ann", "SPEAKER_00": "Bo"}


def test_the_time_of_a_moved_line_belongs_to_its_new_speaker() -> None:
    """A turn is cut half-way to the old speaker's next line; other speakers' turns stay."""
    turns = (Turn(-1.0, 5.0, "SPEAKER_01"), Turn(0.5, 1.0, "SPEAKER_00"))
    lines = (LINE, Utterance(0.5, 1.0, "SPEAKER_00", "Yes."), Utterance(3.0, 5.0, "SPEAKER_01", "And more."))
    moved = with_moved_turns(
        Diarization(turns, turns), CorrectedTranscript(lines), [Correction(0, speaker="SPEAKER_02")]
    )
    assert moved.turns == moved.exclusive == (
        Turn(-1.0, 2.5, "SPEAKER_02"), Turn(0.5, 1.0, "SPEAKER_00"), Turn(2.5, 5.0, "SPEAKER_01"),
    )  # fmt: skip
