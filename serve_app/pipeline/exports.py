"""Transcript exports: rows for JSON, plain text, SubRip and WebVTT.

`names` maps speaker labels to names; a label without a name is shown as it is. A subtitle cue has at most two lines of
LINE characters, lasts at most CUE_S seconds and takes its times from the words. Words that were probably invented are
shown as `[?these words]`.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NotRequired

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from serve_app.pipeline.sentences import join
from serve_app.pipeline.types import Utterance, Word

LINE = 42
"""Characters in a subtitle line, the usual limit of broadcasters."""
CUE_LINES = 2
CUE_S = 7.0
"""Longest time in seconds that a cue is shown."""
MIN_CUE_S = 0.2
"""Players do not show cues of length zero."""
SUSPECT = "[?{}]"
"""How texts show words that were probably invented."""

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


class OriginalRow(TypedDict):
    """Speaker and text of an utterance before a person corrected it."""

    speaker: str
    text: str


class Row(TypedDict):
    """One utterance of the public result. Times are seconds, rounded to 0.01."""

    start: float
    end: float
    speaker: str
    text: str
    suspect: NotRequired[list[Span]]
    words: NotRequired[list[WordRow]]
    original: NotRequired[OriginalRow]


def to_rows(utterances: Sequence[Utterance], names: Names = _NO_NAMES, *, words: bool = False) -> list[Row]:
    """Return the rows of the public result, with `suspect` spans marked and, on request, every word."""
    return [_row(utterance, names, words=words) for utterance in utterances]


def from_rows(rows: Sequence[Row]) -> list[Utterance]:
    """Return utterances from rows of the public result. Rows without words get them with estimated times."""
    return [Utterance(row["start"], row["end"], row["speaker"], row["text"], _words(row)) for row in rows]


def _words(row: Row) -> tuple[Word, ...]:
    spans = row.get("suspect", [])
    if "words" not in row:
        return estimated_words(row["start"], row["end"], row["text"], spans)
    return tuple(
        Word(one["start"], one["end"], one["text"], one["confidence"], _within(one, spans)) for one in row["words"]
    )


def _within(word: Span, spans: Sequence[Span]) -> bool:
    return any(span["start"] <= word["start"] and word["end"] <= span["end"] for span in spans)


def estimated_words(start: float, end: float, text: str, suspect: Sequence[Span] = ()) -> tuple[Word, ...]:
    """Return the words of `text`, spread over the time by their letters. `suspect` are parts of it."""
    pace = (end - start) / max(1, len(text))
    doubtful = [part for span in suspect for part in _nearest(text, span, lambda at: start + pace * at)]
    return tuple(
        Word(
            start + pace * found.start(),
            start + pace * found.end(),
            found[0],
            suspect=any(found.start() in part for part in doubtful),
        )
        for found in re.finditer(r"\S+", text)
    )


def _nearest(text: str, span: Span, time_of: Callable[[int], float]) -> list[range]:
    """Where in `text` the span stands: its words may occur several times, so the nearest in time."""
    places = [range(*found.span()) for found in re.finditer(re.escape(span["text"]), text)]
    return sorted(places, key=lambda place: abs(time_of(place.start) - span["start"]))[:1]


def marked(words: Sequence[Word]) -> str:
    """Return the text of the words, with suspect ones in brackets."""
    runs = [(suspect, join(list(run))) for suspect, run in groupby(words, lambda word: word.suspect)]
    return " ".join(SUSPECT.format(text) if suspect else text for suspect, text in runs)


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
        f"[{_full_clock(u.start)}] {_one_line(names.get(u.speaker, u.speaker))}: {_one_line(marked_text(u))}\n"
        for u in utterances
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


def marked_text(utterance: Utterance) -> str:
    """The utterance's own text; put together from its words only to mark some."""
    return marked(utterance.words) if any(word.suspect for word in utterance.words) else utterance.text


class _Cue:
    """One subtitle: a speaker, a time span and up to two lines of text."""

    def __init__(self, speaker: str, words: Sequence[Word], prefix: str) -> None:
        self.speaker, self.prefix = speaker, prefix
        self.start = words[0].start
        self.end = min(max(words[-1].end, self.start + MIN_CUE_S), self.start + CUE_S)
        self.text = _one_line(marked(words))


def _cues(utterances: Sequence[Utterance], names: Names) -> Iterator[_Cue]:
    before = None
    for utterance in utterances:
        name = _one_line(names.get(utterance.speaker, utterance.speaker))
        prefix = "" if before == utterance.speaker else f"{_short(name, LINE - 1)}: "
        for words in _pieces(utterance, prefix):
            yield _Cue(name, words, prefix)
            prefix = ""
        before = utterance.speaker


def _pieces(utterance: Utterance, prefix: str) -> Iterator[list[Word]]:
    """Split the words of an utterance into cues; the first one begins with `prefix`."""
    words = utterance.words or estimated_words(utterance.start, utterance.end, utterance.text)
    part: list[Word] = []
    for word in (piece for whole in words for piece in _cut(whole)):
        if part and (_too_wide([*part, word], prefix) or word.end - part[0].start > CUE_S):
            yield part
            part, prefix = [], ""
        part.append(word)
    if part:
        yield part


def _cut(word: Word) -> Iterator[Word]:
    """The word in pieces that fit into a line, for addresses and for languages that do not separate words."""
    longest = LINE - len(SUSPECT.format(""))
    pieces = textwrap.wrap(_one_line(word.text), longest, break_on_hyphens=False)
    pace = (word.end - word.start) / max(1, len(pieces))
    for number, text in enumerate(pieces):
        start = word.start + number * pace
        yield replace(word, start=start, end=start + pace, text=text)


def _too_wide(words: Sequence[Word], prefix: str) -> bool:
    return len(_wrap(_one_line(marked(words)), prefix).split("\n")) > CUE_LINES


def _wrap(text: str, prefix: str = "") -> str:
    return "\n".join(textwrap.wrap(prefix + text, LINE, break_on_hyphens=False))


def _short(name: str, length: int) -> str:
    return name if len(name) < length else f"{name[: length - 2]}…"


def _one_line(text: str) -> str:
    """Collapse white space and replace arrows: an empty line ends a cue and an arrow begins one."""
    return " ".join(text.split()).replace("-->", "→")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _stamp(seconds: float, mark: str) -> str:
    """Return `hh:mm:ss,mmm`."""
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def _full_clock(seconds: float) -> str:
    """Return `hh:mm:ss`, cut down to whole seconds."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def clock(seconds: float) -> str:
    """A position or length in a recording, as people read it: `4:07`, or `1:02:09` from one hour."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
