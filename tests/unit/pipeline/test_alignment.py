"""Words to speakers to utterances: repairs at turn edges, and what must hold for any input."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.pipeline.alignment import LONG_S, ONLY_SPEAKER, align, label_words
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import Diarization, Transcription, Turn, Word

GOLDEN = Path(__file__).parents[2] / "golden"


def transcription(words: tuple[Word, ...]) -> Transcription:
    return Transcription(words, "en", 0.0, 0.0)


def evenly(text: str, start: float = 0.0, step: float = 0.4) -> tuple[Word, ...]:
    """Words of `step` seconds each, without pauses."""
    return tuple(Word(start + i * step, start + (i + 1) * step, word) for i, word in enumerate(text.split()))


def who(text: str, *turns: tuple[float, float, str]) -> str:
    """Speakers of evenly spoken words, one letter a word."""
    made = tuple(Turn(*turn) for turn in turns)
    return "".join(label_words(evenly(text), Diarization(made, made)))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("align_*.json")), ids=lambda path: path.stem)
def test_golden_conversations_keep_their_utterances(path: Path) -> None:
    """Words and turns of recorded cases give the transcript that was checked by hand."""
    case = json.loads(path.read_text())
    words = tuple(Word(start, end, text) for start, end, text in case["words"])
    turns, exclusive = (tuple(Turn(*turn) for turn in case[kind]) for kind in ("turns", "exclusive"))
    found = [[u.start, u.end, u.speaker, u.text] for u in align(transcription(words), Diarization(turns, exclusive))]
    assert found == case["utterances"]


def test_last_word_of_a_sentence_keeps_its_speaker() -> None:
    """A turn that begins one word early does not take the word before the full stop."""
    assert who("it was slow in production. Last spring we", (0, 1.6, "A"), (1.6, 3.2, "B")) == "AAAAABBB"


def test_first_word_of_a_sentence_keeps_its_speaker() -> None:
    """A turn that ends one word late does not keep the first word of the answer."""
    assert who("why is that? Because we had no time", (0, 1.6, "A"), (1.6, 3.2, "B")) == "AAABBBBB"


def test_two_words_are_enough_for_a_change() -> None:
    """A change in mid-sentence that more than one word supports stays where the turns put it."""
    assert who("and then we started to hold on a moment", (0, 2.0, "A"), (2.0, 3.6, "B")) == "AAAAABBBB"


def test_flicker_inside_a_sentence_is_smoothed() -> None:
    """A very short turn under one word of a sentence is an error of diarization."""
    assert who("we moved it to another machine", (0, 0.8, "A"), (0.8, 1.1, "B"), (1.1, 2.4, "A")) == "AAAAAA"


def test_interjection_with_a_turn_of_its_own_stays() -> None:
    """One word that fills a real turn of the listener is the listener's."""
    words = (*evenly("we moved it over"), Word(1.65, 2.15, "Right."), *evenly("to another machine", 2.2))
    turns = (Turn(0, 1.6, "A"), Turn(1.62, 2.18, "B"), Turn(2.2, 3.4, "A"))
    assert "".join(label_words(words, Diarization(turns, turns))) == "AAAABAAA"


def test_word_outside_all_turns_goes_to_the_nearest() -> None:
    """A word that no turn covers belongs to the speaker of the nearest turn."""
    turns = (Turn(0, 1, "A"), Turn(9, 10, "B"))
    words = (Word(0.1, 0.9, "Hello."), Word(2.0, 2.4, "there."), Word(8.0, 8.5, "Yes."), Word(9.1, 9.9, "Sure."))
    assert label_words(words, Diarization(turns, turns)) == ["A", "A", "B", "B"]


def test_words_of_low_confidence_in_overlap_are_suspect() -> None:
    """Words of high confidence, and any word of a single speaker, are not marked."""
    turns = (Turn(0, 2, "SPEAKER_00"), Turn(1, 4, "SPEAKER_01"))
    confidences = {"we": 0.4, "tool": 0.4, "look": 0.9, "up": 0.4}
    words = tuple(Word(i, i + 0.8, text, sure) for i, (text, sure) in enumerate(confidences.items()))
    words = (words[0], replace(words[1], start=1.1), replace(words[2], start=1.2, end=1.9), words[3])
    found = align(transcription(words), Diarization(turns, turns))
    assert [word.text for u in found for word in u.words if word.suspect] == ["tool"]


def test_channels_keep_overlapping_speakers_apart() -> None:
    """Interleaved words stay in their own sentences; a pause in which the other speaks starts a new utterance."""
    left = [replace(word, channel=0) for word in (*evenly("we wanted to use the queue"), *evenly("exactly so", 6.0))]
    right = [replace(word, channel=1) for word in evenly("sorry which one was it", 1.1)]
    words = tuple(sorted((*left, *right), key=lambda word: word.start))
    found = align(transcription(words), Diarization((), (), ("SPEAKER_01", "SPEAKER_00")))
    assert [(u.speaker, u.text) for u in found] == [
        ("SPEAKER_01", "we wanted to use the queue"),
        ("SPEAKER_00", "sorry which one was it"),
        ("SPEAKER_01", "exactly so"),
    ]


def test_without_turns_there_is_one_speaker() -> None:
    """No diarization still gives a transcript."""
    (utterance,) = align(transcription(evenly("one two three")), Diarization((), ()))
    assert (utterance.speaker, utterance.text) == (ONLY_SPEAKER, "one two three")


def test_no_words_give_no_utterances() -> None:
    """Turns alone give no utterance."""
    turns = (Turn(0, 5, "A"),)
    assert align(transcription(()), Diarization(turns, turns)) == ()


def test_words_without_length_are_placed() -> None:
    """A word whose start is its end counts where it stands."""
    turns = (Turn(0, 1, "A"), Turn(1, 2, "B"))
    words = (Word(0.5, 0.5, "Yes."), Word(1.5, 1.5, "No."))
    assert label_words(words, Diarization(turns, turns)) == ["A", "B"]


def test_long_talk_breaks_after_a_sentence() -> None:
    """A monologue is cut at the first sentence end after LONG_S, never inside a sentence."""
    words = evenly("This is a sentence of nine words in all. " * 20)
    parts = align(transcription(words), Diarization((), ()))
    assert len(parts) > 2
    assert all(part.text.endswith(".") and part.end - part.start < LONG_S + 5 for part in parts)


def test_long_silence_starts_a_new_utterance() -> None:
    """The same speaker after a long silence gets a line of their own."""
    words = (*evenly("one two"), *evenly("three four", start=9.0))
    assert [u.text for u in align(transcription(words), Diarization((), ()))] == ["one two", "three four"]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["It", "'s", "ninety", "%", "."], "It's ninety%."),
        (["今日", "は", "good"], "今日は good"),
        (["", "yes", " "], "yes"),
        (["state-of-the-art", "—", "sort", "of"], "state-of-the-art — sort of"),
    ],
)
def test_words_join_to_proper_text(pieces: list[str], text: str) -> None:
    """Punctuation joins the word before it, scripts without spaces get none, empty words are dropped."""
    assert join(Word(0, 1, piece) for piece in pieces) == text


def test_abbreviations_do_not_end_sentences() -> None:
    """Titles and initials carry a full stop inside their sentence."""
    parts = sentences(evenly("I asked Dr. J. Who? Then I left"))
    assert [join(part) for part in parts] == ["I asked Dr. J. Who?", "Then I left"]


moments = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 2))
lengths = st.floats(0, 3).map(lambda value: round(value, 2))
texts = st.sampled_from(["yes", "No.", "well,", "what?", "I", "Dr.", "…", "ninety"])
word_lists = st.lists(st.builds(lambda s, d, t: Word(s, round(s + d, 2), t), moments, lengths, texts), max_size=60).map(
    lambda words: tuple(sorted(words, key=lambda word: word.start))
)
turn_lists = st.lists(
    st.builds(lambda s, d, who: Turn(s, round(s + d + 0.01, 2), who), moments, lengths, st.sampled_from("ABC")),
    max_size=30,
).map(tuple)


def exclusive(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns with each cut off where an earlier one still goes on."""
    kept: list[Turn] = []
    for turn in sorted(turns, key=lambda turn: turn.start):
        start = max(turn.start, kept[-1].end) if kept else turn.start
        if start < turn.end:
            kept.append(Turn(start, turn.end, turn.speaker))
    return tuple(kept)


@given(word_lists, turn_lists)
def test_every_word_appears_once_and_in_order(words: tuple[Word, ...], turns: tuple[Turn, ...]) -> None:
    """Utterances are a partition of the words, in their order."""
    utterances = align(transcription(words), Diarization(turns, exclusive(turns)))
    assert tuple(word for u in utterances for word in u.words) == words


@given(word_lists, turn_lists)
def test_utterances_are_sorted_and_cover_their_words(words: tuple[Word, ...], turns: tuple[Turn, ...]) -> None:
    """Starts never go back, and no word sticks out of its utterance."""
    utterances = align(transcription(words), Diarization(turns, exclusive(turns)))
    starts = [u.start for u in utterances]
    assert starts == sorted(starts)
    assert all(u.start <= word.start and word.end <= u.end for u in utterances for word in u.words)
    assert all(u.text == join(u.words) for u in utterances)


@given(word_lists, turn_lists)
def test_speakers_come_from_the_turns(words: tuple[Word, ...], turns: tuple[Turn, ...]) -> None:
    """Labels are those of the turns; without turns there is one default label."""
    labels = set(label_words(words, Diarization(turns, exclusive(turns))))
    assert labels <= ({turn.speaker for turn in turns} or {ONLY_SPEAKER})


@given(word_lists, turn_lists)
def test_renaming_speakers_renames_the_result(words: tuple[Word, ...], turns: tuple[Turn, ...]) -> None:
    """Labels carry no meaning: nothing depends on how they sort."""
    other = dict(zip("ABC", "ZYX", strict=True))
    renamed = tuple(Turn(turn.start, turn.end, other[turn.speaker]) for turn in turns)
    before = label_words(words, Diarization(turns, exclusive(turns)))
    assert label_words(words, Diarization(renamed, exclusive(renamed))) == [other.get(s, s) for s in before]


@given(word_lists)
def test_one_speaker_gets_every_word(words: tuple[Word, ...]) -> None:
    """Where all turns have one speaker, every word is theirs, covered by a turn or not."""
    turns = (Turn(10, 20, "A"), Turn(50, 60, "A"))
    assert set(label_words(words, Diarization(turns, turns))) <= {"A"}


def test_four_hours_of_talk_align_in_linear_time() -> None:
    """40,000 words and 4,000 turns take the time of forty times 1,000 words, not of 1,600 times."""
    words: Any = evenly("and so it goes on and on and on. " * 4_445)
    turns = tuple(Turn(i * 4.0, i * 4.0 + 4.0, "AB"[i % 2]) for i in range(4_000))
    labels = label_words(words, Diarization(turns, turns))
    assert labels.count("A") == pytest.approx(len(words) / 2, rel=0.1)
