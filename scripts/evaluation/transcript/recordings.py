"""Reference recordings of the transcript evaluation, read from a folder. Sets that the folder lacks are skipped.

People wrote the references of the meetings, the phone call, the read speech and the words of the interviews. The times
of the interviews' turns were made automatically: their DER has twice the collar and is only good for comparisons.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.evaluation.transcript.scores import Line
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, Recording, Turn

HUMAN_COLLAR_S, SILVER_COLLAR_S = 0.25, 0.5
FEW_WORDS = ("EN2001b", "EN2001d")
"""Meeting clips of two words each, one of them unconfirmed: too few for a word error rate."""
QUICK_S = 180.0
WHOLE = "interviews"
BEGINNINGS = "interviews, first 3 min"
"""The plain script diarizes only these: the five whole interviews take it an hour and a half on two cores."""


@dataclass(frozen=True, slots=True)
class ReferenceRecording:
    """One recording with its reference words and, where known, its reference turns."""

    group: str
    path: Path
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...] = ()
    collar_s: float = HUMAN_COLLAR_S
    until_s: float | None = None
    """Where the reference ends; None at the end of the recording."""

    def decode(self) -> Recording:
        """Decode the part that the reference covers."""
        audio = decode(self.path, 4 * 3600)
        if self.until_s is None:
            return audio
        end = int(self.until_s * SAMPLE_RATE)
        return replace(audio, samples=audio.samples[:end], channels=tuple(one[:end] for one in audio.channels))


def list_recordings(folder: Path, *, quick: bool) -> list[ReferenceRecording]:
    """Return all recordings under `folder`; `quick`: the call, two meeting clips and 3 minutes of one interview."""
    beginnings = list(_interviews(folder, QUICK_S))
    if quick:
        meetings = [item for item in _meetings(folder) if item.path.name.startswith(("EN2001e", "ES2003a"))]
        return [*_call(folder), *meetings, *beginnings[:1]]
    return [*_call(folder), *_meetings(folder), *beginnings, *_read(folder), *list_interviews(folder)]


def list_interviews(folder: Path) -> list[ReferenceRecording]:
    """Return the interviews in full."""
    return list(_interviews(folder, None))


def list_silences(folder: Path) -> list[Path]:
    """Return recordings without speech."""
    generated = folder / "corrupt" / "generated"
    return [path for name in ("silence_30s.mp3", "tone_440_20s.m4a") if (path := generated / name).is_file()]


def _call(folder: Path) -> Iterator[ReferenceRecording]:
    stem = folder / "conversation" / "phone_sample" / "sample"
    if stem.with_suffix(".wav").is_file():
        rows = (line.split(maxsplit=5) for line in stem.with_suffix(".stm").read_text("utf-8").splitlines())
        lines = tuple(Line(row[2], row[5]) for row in rows if len(row) == 6)
        yield ReferenceRecording("phone call", stem.with_suffix(".wav"), lines, read_rttm(stem.with_suffix(".rttm")))


def _meetings(folder: Path) -> Iterator[ReferenceRecording]:
    for path in sorted((folder / "conversation" / "ami_clips").glob("*.flac")):
        few = path.name.startswith(FEW_WORDS)
        lines, _ = _seglst(path.with_suffix(".seglst.json"), None)
        turns = read_rttm(path.with_suffix(".rttm"))
        yield ReferenceRecording("meetings", path, () if few else lines, turns)


def _interviews(folder: Path, until_s: float | None) -> Iterator[ReferenceRecording]:
    for path in sorted((folder / "conversation" / "osce_interviews").glob("*.opus")):
        turns = read_rttm(path.with_suffix(".silver.rttm"))
        lines, end = _seglst(path.with_suffix(".silver.seglst.json"), until_s)
        if until_s is None:
            text = path.with_suffix(".ref.txt").read_text("utf-8")
            lines = tuple(Line(*map(str.strip, row.split(":", 1))) for row in text.splitlines() if ":" in row)
        else:
            turns = tuple(replace(turn, end=min(turn.end, end)) for turn in turns if turn.start < end)
        yield ReferenceRecording(
            WHOLE if until_s is None else BEGINNINGS,
            path,
            lines,
            turns,
            SILVER_COLLAR_S,
            end if until_s else None,
        )


def _read(folder: Path) -> Iterator[ReferenceRecording]:
    for table in sorted((folder / "read").glob("*/transcripts.tsv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                name = row.get("utt") or row.get("file") or ""
                path = table.parent / f"{name.removesuffix('.opus')}.opus"
                if path.is_file():
                    yield ReferenceRecording(f"read: {table.parent.name}", path, (Line("reader", row["text"]),))


def _seglst(path: Path, until_s: float | None) -> tuple[tuple[Line, ...], float]:
    """Return the lines of a segment list that end before `until_s`, and the end of the last one."""
    rows = sorted(json.loads(path.read_text("utf-8")), key=lambda row: float(row["start_time"]))
    kept = [row for row in rows if until_s is None or float(row["end_time"]) <= until_s]
    end = max((float(row["end_time"]) for row in kept), default=0.0)
    return tuple(Line(row["speaker"], row["words"]) for row in kept), end


def read_rttm(path: Path) -> tuple[Turn, ...]:
    """Return the turns of an RTTM file."""
    rows = (line.split() for line in path.read_text("utf-8").splitlines() if line.startswith("SPEAKER"))
    return tuple(Turn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows)
