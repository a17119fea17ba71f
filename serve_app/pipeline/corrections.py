"""A transcript as a person corrected it: lines with other words or another speaker, and the speakers' names.

Corrected words keep the times of the words that stayed; new ones share the time between their neighbours. Names are
shown to people only: no model receives them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from serve_app.pipeline.assessment.quotes import letters_of
from serve_app.pipeline.assessment.text import words_of
from serve_app.pipeline.types import Diarization, Turn, Utterance, Word


@dataclass(frozen=True, slots=True)
class Correction:
    """What changes in one line of a transcript. None leaves it as it is."""

    line: int
    """Index in the transcript, from 0."""
    text: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class OriginalLine:
    """Speaker and text of a corrected line before its first correction."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class CorrectedTranscript:
    """A transcript with its corrections, the original of each corrected line by index, and names by speaker label."""

    utterances: tuple[Utterance, ...]
    originals: dict[int, OriginalLine] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def correct(
    transcript: CorrectedTranscript, corrections: Sequence[Correction], names: Mapping[str, str]
) -> CorrectedTranscript:
    """Return the transcript with more corrections and names. The lines' number, order and times stay."""
    lines, originals = list(transcript.utterances), dict(transcript.originals)
    for change in corrections:
        line = lines[change.line]
        originals.setdefault(change.line, OriginalLine(line.speaker, line.text))
        if change.text is not None:
            line = replace(line, text=change.text, words=retimed(words_of(line), change.text, line))
        lines[change.line] = replace(line, speaker=change.speaker or line.speaker)
    return CorrectedTranscript(tuple(lines), originals, transcript.names | dict(names))


def retimed(words: Sequence[Word], text: str, line: Utterance) -> tuple[Word, ...]:
    """Return the words of `text` with times: those of the same words of `words`, or shares of the gap between them.

    A person wrote them, so each has confidence 1 and none is suspect.
    """
    written = text.split()
    spoken = [letters_of(word.text) for word in words]
    matcher = SequenceMatcher(a=spoken, b=[letters_of(word) for word in written], autojunk=False)
    found: list[Word] = []
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            found += [
                replace(word, text=spelt, confidence=1.0, suspect=False)
                for word, spelt in zip(words[first:last], written[begin:end], strict=True)
            ]
        elif begin < end:
            start = words[first].start if first < last else (words[first - 1].end if first else line.start)
            stop = words[last - 1].end if first < last else (words[first].start if first < len(words) else line.end)
            step = max(0.0, stop - start) / (end - begin)
            channel = words[0].channel if words else None
            found += [
                Word(start + number * step, start + (number + 1) * step, spelt, channel=channel)
                for number, spelt in enumerate(written[begin:end])
            ]
    return tuple(found)


def with_moved_turns(
    diarization: Diarization, transcript: CorrectedTranscript, corrections: Sequence[Correction]
) -> Diarization:
    """Return the diarization in which the time of each moved line belongs to its new speaker.

    The time reaches half-way to the old speaker's lines around it. `transcript` is the one before the corrections.
    """
    turns, exclusive = diarization.turns, diarization.exclusive
    for change in corrections:
        line = transcript.utterances[change.line]
        if change.speaker not in {None, line.speaker}:
            moved = Turn(*_reach(transcript.utterances, change.line), change.speaker or "")
            turns, exclusive = (_moved(some, line.speaker, moved) for some in (turns, exclusive))
    return Diarization(turns, exclusive, diarization.channels)


def _reach(lines: Sequence[Utterance], index: int) -> tuple[float, float]:
    """The time of a line, to half-way to the same speaker's lines before and after it, or without end."""
    line = lines[index]
    before = max((u.end for u in lines[:index] if u.speaker == line.speaker), default=-math.inf)
    after = min((u.start for u in lines[index + 1 :] if u.speaker == line.speaker), default=math.inf)
    return (before + line.start) / 2, (line.end + after) / 2


def _moved(turns: Sequence[Turn], speaker: str, to: Turn) -> tuple[Turn, ...]:
    """Turns in which `to` replaces the turns of `speaker` in its time."""
    parts: list[Turn] = []
    for turn in turns:
        if turn.speaker != speaker or turn.end <= to.start or turn.start >= to.end:
            parts.append(turn)
            continue
        first, last = max(turn.start, to.start), min(turn.end, to.end)
        cut = Turn(turn.start, first, speaker), Turn(first, last, to.speaker), Turn(last, turn.end, speaker)
        parts += [part for part in cut if part.end > part.start]
    return tuple(sorted(parts, key=lambda turn: (turn.start, turn.end)))
