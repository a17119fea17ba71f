"""The recordings a transcript is judged on, read from a folder of evaluation data; only what is there is used.

Human references for meetings, a phone call and read speech. The interviews' words are human too, but the times of their
turns were made automatically, so their DER has twice the collar and is to be read as relative.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.evaluation.transcript_scores import Line
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, Recording, Turn

HUMAN_COLLAR_S, SILVER_COLLAR_S = 0.25, 0.5
FEW_WORDS = ("EN2001b", "EN2001d")
"""Meeting clips of two words each, one of them unconfirmed: no word error rate comes of them."""
QUICK_S = 180.0
WHOLE = "interviews"
BEGINNINGS = "interviews, first 3 min"
"""What the plain script diarizes: on two cores it takes an hour and a half for the whole of the five interviews."""


@dataclass(frozen=True, slots=True)
class Item:
    """One recording with what was said and, where known, who spoke when."""

    group: str
    path: Path
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...] = ()
    collar_s: float = HUMAN_COLLAR_S
    until_s: float | None = None

    def recording(self) -> Recording:
        """Decode the part that the reference covers."""
        audio = decode(self.path, 4 * 3600)
        if self.until_s is None:
            return audio
        end = int(self.until_s * SAMPLE_RATE)
        return replace(audio, samples=audio.samples[:end], channels=tuple(one[:end] for one in audio.channels))


def items(folder: Path, *, quick: bool) -> list[Item]:
    """Every recording under `folder`; `quick` takes the call, two meeting clips and 3 minutes of one interview."""
    beginnings = list(_interviews(folder, QUICK_S))
    if quick:
        meetings = [item for item in _meetings(folder) if item.path.name.startswith(("EN2001e", "ES2003a"))]
        return [*_call(folder), *meetings, *beginnings[:1]]
    return [*_call(folder), *_meetings(folder), *beginnings, *_read(folder), *interviews(folder)]


def interviews(folder: Path) -> list[Item]:
    """The interviews in full."""
    return list(_interviews(folder, None))


def silences(folder: Path) -> list[Path]:
    """Recordings in which nobody says a word."""
    made = folder / "corrupt" / "generated"
    return [path for name in ("silence_30s.mp3", "tone_440_20s.m4a") if (path := made / name).is_file()]


def _call(folder: Path) -> Iterator[Item]:
    stem = folder / "conversation" / "phone_sample" / "sample"
    if stem.with_suffix(".wav").is_file():
        rows = (line.split(maxsplit=5) for line in stem.with_suffix(".stm").read_text("utf-8").splitlines())
        lines = tuple(Line(row[2], row[5]) for row in rows if len(row) == 6)
        yield Item("phone call", stem.with_suffix(".wav"), lines, read_rttm(stem.with_suffix(".rttm")))


def _meetings(folder: Path) -> Iterator[Item]:
    for path in sorted((folder / "conversation" / "ami_clips").glob("*.flac")):
        few = path.name.startswith(FEW_WORDS)
        lines, _ = _seglst(path.with_suffix(".seglst.json"), None)
        turns = read_rttm(path.with_suffix(".rttm"))
        yield Item("meetings", path, () if few else lines, turns)


def _interviews(folder: Path, until_s: float | None) -> Iterator[Item]:
    for path in sorted((folder / "conversation" / "osce_interviews").glob("*.opus")):
        turns = read_rttm(path.with_suffix(".silver.rttm"))
        lines, end = _seglst(path.with_suffix(".silver.seglst.json"), until_s)
        if until_s is None:
            text = path.with_suffix(".ref.txt").read_text("utf-8")
            lines = tuple(Line(*map(str.strip, row.split(":", 1))) for row in text.splitlines() if ":" in row)
        else:
            turns = tuple(replace(turn, end=min(turn.end, end)) for turn in turns if turn.start < end)
        yield Item(
            WHOLE if until_s is None else BEGINNINGS,
            path,
            lines,
            turns,
            SILVER_COLLAR_S,
            end if until_s else None,
        )


def _read(folder: Path) -> Iterator[Item]:
    for table in sorted((folder / "read").glob("*/transcripts.tsv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                name = row.get("utt") or row.get("file") or ""
                path = table.parent / f"{name.removesuffix('.opus')}.opus"
                if path.is_file():
                    yield Item(f"read: {table.parent.name}", path, (Line("reader", row["text"]),))


def _seglst(path: Path, until_s: float | None) -> tuple[tuple[Line, ...], float]:
    """Lines of a segment list that end before `until_s`, and where the last of them ends."""
    rows = sorted(json.loads(path.read_text("utf-8")), key=lambda row: float(row["start_time"]))
    kept = [row for row in rows if until_s is None or float(row["end_time"]) <= until_s]
    end = max((float(row["end_time"]) for row in kept), default=0.0)
    return tuple(Line(row["speaker"], row["words"]) for row in kept), end


def read_rttm(path: Path) -> tuple[Turn, ...]:
    """Turns of an RTTM file."""
    rows = (line.split() for line in path.read_text("utf-8").splitlines() if line.startswith("SPEAKER"))
    return tuple(Turn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows)
