"""Transcript exports: rows for JSON, plain text, SubRip and WebVTT.

`names` maps speaker labels to names; a label without a name is shown as it is. A subtitle cue has at most two lines of
LINE characters and takes its times from the words.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NotRequired

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from serve_app.pipeline.sentences import join
from serve_app.pipeline.types import Utterance, Word

LINE = 42
"""Characters in a subtitle line, the usual limit of broadcasters."""
CUE_LINES = 2
CUE_S = 6.0
"""Longest time a cue is shown."""
MIN_CUE_S = 0.2
"""Players do not show cues of length zero."""

Names = Mapping[str, str]
_NO_NAMES: Names = {}


class Span(TypedDict):
    """Words that the recogniser probably invented. They are no evidence and no metric counts them."""

    start: float
    end: float
    text: str


class WordRow(Span):
    """One word. `confidence` is the recogniser's, 0 to 1."""

    confidence: float


class Row(TypedDict):
    """One utterance of the public result. Times are seconds, rounded to 0.01."""

    start: float
    end: float
    speaker: str
    text: str
    suspect: NotRequired[list[Span]]
    words: NotRequired[list[WordRow]]


def to_rows(utterances: Sequence[Utterance], names: Names = _NO_NAMES, *, words: bool = False) -> list[Row]:
    """Return the rows of the public result, with `suspect` spans marked and, on request, every word."""
    return [_row(utterance, names, words=words) for utterance in utterances]


def from_rows(rows: Sequence[Row]) -> list[Utterance]:
    """Return utterances from rows of the public result, with words where the rows have them."""
    return [
        Utterance(
            row["start"],
            row["end"],
            row["speaker"],
            row["text"],
            tuple(Word(one["start"], one["end"], one["text"], one["confidence"]) for one in row.get("words", ())),
        )
        for row in rows
    ]


def _row(utterance: Utterance, names: Names, *, words: bool) -> Row:
    speaker = names.get(utterance.speaker, utterance.speaker)
    row = Row(start=round(utterance.start, 2), end=round(utterance.end, 2), speaker=speaker, text=utterance.text)
    doubtful = [list(run) for suspect, run in groupby(utterance.words, lambda word: word.suspect) if suspect]
    if doubtful:
        row["suspect"] = [
            Span(start=round(run[0].start, 2), end=round(run[-1].end, 2), text=join(run)) for run in doubtful
        ]
    if words:
        row["words"] = [
            WordRow(start=round(w.start, 2), end=round(w.end, 2), text=w.text, confidence=round(w.confidence, 3))
            for w in utterance.words
        ]
    return row


def to_text(utterances: Sequence[Utterance], names: Names = _NO_NAMES) -> str:
    """Return plain text: time, speaker and words, one paragraph per utterance."""
    return "\n".join(
        f"[{_clock(u.start)}] {_one_line(names.get(u.speaker, u.speaker))}: {_one_line(u.text)}\n" for u in utterances
    )


def to_srt(utterances: Sequence[Utterance], names: Names = _NO_NAMES) -> str:
    """Return SubRip. The first cue of each turn names the speaker."""
    return "\n".join(
        f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{_wrap(cue.text, cue.prefix)}\n"
        for number, cue in enumerate(_cues(utterances, names), start=1)
    )


def to_vtt(utterances: Sequence[Utterance], names: Names = _NO_NAMES) -> str:
    """Return WebVTT with voice tags. Characters of HTML and WebVTT markup are escaped."""
    cues = [
        f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n<v {_escape(cue.speaker)}>{_escape(_wrap(cue.text))}\n"
        for cue in _cues(utterances, names)
    ]
    return "\n".join(["WEBVTT\n", *cues])


class _Cue:
    """One subtitle: a speaker, a time span and up to two lines of text."""

    def __init__(self, speaker: str, start: float, end: float, text: str, *, first: bool) -> None:
        self.speaker = _one_line(speaker)
        self.start, self.end = start, max(end, start + MIN_CUE_S)
        self.text = _one_line(text)
        self.prefix = f"{self.speaker}: " if first else ""


def _cues(utterances: Sequence[Utterance], names: Names) -> Iterator[_Cue]:
    before = None
    for utterance in utterances:
        name = names.get(utterance.speaker, utterance.speaker)
        for start, end, text in _pieces(utterance, len(name) + 2):
            yield _Cue(name, start, end, text, first=before != utterance.speaker)
            before = utterance.speaker


def _pieces(utterance: Utterance, name_width: int) -> Iterator[tuple[float, float, str]]:
    """Split an utterance into cues at its words. One without words is one cue."""
    if not utterance.words:
        yield utterance.start, utterance.end, utterance.text
        return
    part: list[Word] = []
    for word in utterance.words:
        if part and (_too_wide([*part, word], name_width) or word.end - part[0].start > CUE_S):
            yield part[0].start, part[-1].end, join(part)
            part = []
        part.append(word)
    yield part[0].start, part[-1].end, join(part)


def _too_wide(words: Sequence[Word], name_width: int) -> bool:
    return len(_wrap(join(words), "x" * (name_width - 1) + " ").split("\n")) > CUE_LINES


def _wrap(text: str, prefix: str = "") -> str:
    return "\n".join(textwrap.wrap(prefix + text, LINE, break_long_words=False, break_on_hyphens=False))


def _one_line(text: str) -> str:
    """Collapse white space and replace arrows: an empty line ends a cue and an arrow begins one."""
    return " ".join(text.split()).replace("-->", "→")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _stamp(seconds: float, mark: str) -> str:
    """Return `hh:mm:ss,mmm`."""
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def _clock(seconds: float) -> str:
    """Return `hh:mm:ss`, cut down to whole seconds."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
