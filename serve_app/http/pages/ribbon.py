"""The picture of a whole conversation, from left to right: who spoke when, where questions and evidence are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve_app.pipeline.sentences import is_question

WIDTH = 1000
LANE = 16
MAX_LANES = 6
JOINED = 1.0
"""Stretches of one speaker that are closer than this are one: 1000 units are about as many pixels."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one speaker's speech, in the picture's units. `target` is the line it begins with."""

    lane: int
    x: float
    y: int
    width: float
    label: str
    target: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in the picture, and where it leads."""

    x: float
    y: int
    label: str
    target: str


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The picture: a lane for each speaker, a row of questions above them, a row of evidence below."""

    segments: Sequence[Segment]
    questions: Sequence[Mark]
    evidence: Sequence[Mark]
    lanes: Mapping[str, int]
    """Lane by the speaker's name."""
    height: int


def draw(result: Mapping[str, Any], names: Mapping[str, str], evidence: Iterable[tuple[float, str, str]]) -> Ribbon:
    """Draw a result's conversation. `evidence` holds the time, the words and the target of each quote."""
    labels = dict.fromkeys([*result["metrics"]["talk_ratio"], *(row["speaker"] for row in result["transcript"])])
    lanes = {label: min(lane, MAX_LANES - 1) for lane, label in enumerate(labels)}
    scale = WIDTH / max(result["duration_s"], 1.0)
    height = LANE * (2 + max(1, min(len(lanes), MAX_LANES)))
    marks = {round(start * scale, 1): Mark(round(start * scale, 1), height - LANE, text, target)
             for start, text, target in evidence}  # fmt: skip
    return Ribbon(
        segments=_segments(result["transcript"], names, lanes, scale),
        questions=[
            Mark(round(row["end"] * scale, 1), 0, f"{names.get(row['speaker'], row['speaker'])} asks", f"u-{number}")
            for number, row in enumerate(result["transcript"])
            if is_question(row["text"])
        ],
        evidence=list(marks.values()),
        lanes={names.get(label, label): lane for label, lane in lanes.items()},
        height=height,
    )


def _segments(
    rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], lanes: Mapping[str, int], scale: float
) -> list[Segment]:
    drawn: list[Segment] = []
    last: dict[int, int] = {}
    for number, row in enumerate(rows):
        lane, x = lanes[row["speaker"]], round(row["start"] * scale, 1)
        width = round(max((row["end"] - row["start"]) * scale, 1.0), 1)
        before = drawn[last[lane]] if lane in last else None
        if before is not None and 0 <= x - before.x - before.width < JOINED:
            joined = round(x + width - before.x, 1)
            drawn[last[lane]] = Segment(lane, before.x, before.y, joined, before.label, before.target)
            continue
        last[lane] = len(drawn)
        name = names.get(row["speaker"], row["speaker"])
        drawn.append(Segment(lane, x, LANE * (1 + lane), width, name, f"u-{number}"))
    return drawn
