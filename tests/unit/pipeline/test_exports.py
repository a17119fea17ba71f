"""Transcripts in other formats, read back by parsers that are not ours."""

import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.pipeline.exports import CUE_LINES, CUE_S, LINE, from_rows, to_rows, to_srt, to_text, to_vtt
from serve_app.pipeline.types import Utterance, Word


def utterance(start: float, speaker: str, text: str, step: float = 0.3) -> Utterance:
    pieces = text.split()
    words = tuple(Word(start + i * step, start + (i + 1) * step, piece) for i, piece in enumerate(pieces))
    return Utterance(start, start + len(pieces) * step, speaker, text, words)


UTTERANCES = (
    utterance(0.5, "SPEAKER_00", "Why did you leave R&D?"),
    utterance(
        3661.2345, "SPEAKER_01", "Because <b>I</b> wanted --> to build things that people use every day, all day."
    ),
)


def cues(text: str, kind: str) -> list[tuple[float, float]]:
    """Start and end of the cues libav reads."""
    with av.open(io.BytesIO(text.encode()), format=kind) as container:
        packets = [packet for packet in container.demux() if packet.pts is not None]
        return [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))
            for p in packets
            if p.pts is not None
        ]


def test_rows_are_the_public_result() -> None:
    """Rows hold start, end, speaker and text, rounded, and survive JSON."""
    rows = to_rows(UTTERANCES, {"SPEAKER_01": "Candidate"})
    assert json.loads(json.dumps(rows))[1] == {
        "start": 3661.23,
        "end": 3665.43,
        "speaker": "Candidate",
        "text": UTTERANCES[1].text,
    }


def test_words_are_given_on_request_and_cue_by_their_own_times() -> None:
    """With words a transcript read back makes the same subtitles as the utterances it came from."""
    assert "words" not in to_rows(UTTERANCES)[0]
    rows = json.loads(json.dumps(to_rows(UTTERANCES, words=True)))
    assert rows[0]["words"][1] == {"start": 0.8, "end": 1.1, "text": "did", "confidence": 1.0}
    assert to_srt(from_rows(rows)) == to_srt(
        [
            replace(u, words=tuple(replace(w, start=round(w.start, 2), end=round(w.end, 2)) for w in u.words))
            for u in UTTERANCES
        ]
    )


def test_doubtful_stretches_are_marked() -> None:
    """Neighbouring suspect words are one span; a transcript without any has no such key."""
    words = tuple(replace(word, suspect=i in {1, 2, 4}) for i, word in enumerate(UTTERANCES[0].words))
    marked = to_rows([replace(UTTERANCES[0], words=words)])[0]["suspect"]
    assert [span["text"] for span in marked] == ["did you", "R&D?"]
    assert (marked[0]["start"], marked[0]["end"]) == (0.8, 1.4)
    assert "suspect" not in to_rows(UTTERANCES)[0]


def test_text_gives_time_name_and_words() -> None:
    """Plain text is for reading: one paragraph an utterance."""
    assert to_text(UTTERANCES[:1], {"SPEAKER_00": "Interviewer"}) == "[00:00:00] Interviewer: Why did you leave R&D?\n"


@pytest.mark.parametrize(("write", "kind"), [(to_srt, "srt"), (to_vtt, "webvtt")])
def test_players_read_the_cues(write: "type", kind: str) -> None:
    """A player's parser finds cues in order, starting with the first word and ending with the last."""
    found = cues(write(UTTERANCES), kind)
    assert found[0] == pytest.approx((0.5, 2.0), abs=0.002)
    assert found[-1][1] == pytest.approx(3665.434, abs=0.002)
    assert found == sorted(found)


def test_subtitle_stamps_differ_by_format() -> None:
    """SubRip writes a comma before the milliseconds, WebVTT a point."""
    assert "01:01:01,234 --> " in to_srt(UTTERANCES)
    assert "01:01:01.234 --> " in to_vtt(UTTERANCES)


def test_webvtt_escapes_what_would_be_markup() -> None:
    """Words and names with angle brackets, ampersands or arrows stay words and names."""
    text = to_vtt(UTTERANCES, {"SPEAKER_00": "R&D <boss>"})
    assert "<v R&amp;D &lt;boss&gt;>Why did you leave R&amp;D?" in text
    assert "&lt;b&gt;I&lt;/b&gt;" in text
    assert all(re.fullmatch(r"[\d:.]+ --> [\d:.]+", line) for line in text.splitlines() if "-->" in line)


def test_name_stands_where_a_speaker_begins() -> None:
    """SubRip names a speaker once, not in every cue of theirs."""
    text = to_srt((utterance(0, "A", "word " * 60), utterance(30, "B", "Yes.")))
    assert text.count("A: ") == 1
    assert text.count("B: ") == 1


def test_a_short_utterance_without_words_is_one_cue() -> None:
    """Stored transcripts carry no words; their utterances still come out."""
    assert len(cues(to_srt((Utterance(1, 2, "A", "Yes."),)), "srt")) == 1


def test_an_empty_transcript_is_a_valid_file() -> None:
    """An empty transcript gives empty files of the right kind."""
    assert (to_rows(()), to_text(()), to_srt(())) == ([], "", "")
    assert to_vtt(()).startswith("WEBVTT\n")


texts = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs", "Cc"]), min_size=1, max_size=80
).filter(str.strip)


def blocks_of(text: str) -> list[list[str]]:
    """The lines of each SubRip cue, without its number."""
    return [block.strip("\n").split("\n")[1:] for block in text.split("\n\n")]


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


UTTERANCE_LISTS = st.lists(
    st.builds(
        utterance,
        st.floats(0, 5000),
        st.sampled_from(["A", "B", "Somebody with a long name: " + "x" * 60]),
        texts | st.text("ab", min_size=1, max_size=200) | st.text("会議の録音", min_size=1, max_size=200),
        st.sampled_from([0.3, 9.0]),
    ),
    max_size=5,
)


@given(utterances=UTTERANCE_LISTS, worded=st.booleans())
def test_no_words_break_the_cues(utterances: list[Utterance], *, worded: bool) -> None:
    """Any text, with or without words: two lines of 42 characters, 7 s, no empty line and no stray arrow in a cue."""
    told = utterances if worded else [replace(one, words=()) for one in utterances]
    for stamps, *lines in blocks_of(to_srt(told)) if told else []:
        first, last = map(seconds, stamps.split(" --> "))
        assert 0 <= last - first <= CUE_S + 0.001
        assert 1 <= len(lines) <= CUE_LINES
        assert all(line and len(line) <= LINE and "-->" not in line for line in lines)


def test_a_long_turn_without_words_is_cut() -> None:
    """A turn of 22 s becomes short cues that follow each other, hold all its words, and end with it."""
    text = " ".join(f"word{n}" for n in range(60))
    cut = blocks_of(to_srt([Utterance(10, 32, "A", text)]))
    assert len(cut) > 4
    assert " ".join(line for _, *lines in cut for line in lines) == f"A: {text}"
    times = [tuple(map(seconds, stamps.split(" --> "))) for stamps, *_ in cut]
    assert (times[0][0], times[-1][1]) == (10, 32)
    assert all(a[1] <= b[0] for a, b in pairwise(times))


@pytest.mark.parametrize("worded", [True, False])
def test_suspect_words_are_marked_in_text_and_subtitles(*, worded: bool) -> None:
    """Stretches that were probably invented are in brackets, whether or not words were asked for."""
    told = utterance(0, "A", "Thank you. I fixed it. Thank you.")
    words = tuple(replace(word, suspect=n >= 5) for n, word in enumerate(told.words))
    rows = json.loads(json.dumps(to_rows([replace(told, words=words)], words=worded)))
    expected = "A: Thank you. I fixed it. [?Thank you.]"
    again = from_rows(rows)
    assert to_text(again) == f"[00:00:00] {expected}\n"
    assert blocks_of(to_srt(again))[0][1:] == [expected]
    assert "I fixed it. [?Thank you.]" in to_vtt(again)
