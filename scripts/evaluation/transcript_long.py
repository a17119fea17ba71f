"""Long recordings: time and peak memory of both speech models, each in a process of its own, side by side.

The interviews are joined and looped to the lengths asked for; transcribing in parts is compared with transcribing
whole. Writes `transcript_long.json`, which the transcript evaluation puts into its table.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
import typer

from deployments.profiles import load_profile
from scripts.evaluation.transcript import ROOT
from scripts.evaluation.transcript_scores import Line
from scripts.evaluation.transcript_sets import interviews
from serve_app.pipeline.transcribe_parts import join
from serve_app.pipeline.types import (
    SAMPLE_RATE,
    DiarizationRequest,
    Part,
    Recording,
    Transcription,
    TranscriptionRequest,
)

app = typer.Typer()
PARTS = 4
NOTE = (
    "The interviews joined and looped, ASR and diarization side by side in a process each. Memory is the peak of the"
    " whole process: libraries, weights and the recording itself, 37 MiB for ten minutes, which replicas share."
)


@app.command()
def measure(
    data: Annotated[Path, typer.Option(help="Folder of the evaluation recordings.")] = ROOT / ".." / "shared" / "eval",
    out: Annotated[Path, typer.Option(help="Folder for transcript_long.json.")] = ROOT / "docs/benchmarks",
    minutes: Annotated[str, typer.Option(help="Lengths, with commas between them.")] = "10,49,120",
) -> None:
    """Measure every length and write the figures beside those of other lengths."""
    if not interviews(data):
        typer.echo(f"no interviews under {data}")
        raise typer.Exit(1)
    path = out / "transcript_long.json"
    out.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text("utf-8"))["runs"] if path.is_file() else []
    runs = {run["audio_s"]: run for run in known}
    for length in map(int, minutes.split(",")):
        run = _both(data, length)
        runs[run["audio_s"]] = run
        ordered = [runs[seconds] for seconds in sorted(runs)]
        path.write_text(json.dumps({"runs": ordered, "note": NOTE}, indent=1) + "\n", "utf-8")


@app.command()
def one(role: str, data: Path, minutes: int) -> None:
    """Measure one model in this process, as JSON on standard output."""
    audio = _joined(data, minutes * 60)
    spec = getattr(load_profile("embedded"), role)
    backend = spec.build()
    backend.load(_quiet)
    began = time.perf_counter()
    if role == "asr":
        transcription = backend.run(TranscriptionRequest(audio, "en"), _quiet)
    else:
        diarization = backend.run(DiarizationRequest(audio), _quiet)
    figures: dict[str, Any] = {
        f"{role}_s": round(time.perf_counter() - began, 1),
        f"{role}_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "audio_s": round(audio.duration_s),
    }
    if role == "asr":
        figures["coverage"] = round(transcription.covered_s / transcription.speech_s, 3)
    else:
        figures["speakers"] = len({turn.speaker for turn in diarization.turns})
    if role == "asr" and minutes < 60:
        parts = [backend.run(TranscriptionRequest(audio, "en", Part(index, PARTS)), _quiet) for index in range(PARTS)]
        figures["parts"] = PARTS
        figures["wer_of_parts_against_whole"] = round(jiwer.wer(_text(transcription), _text(join(parts))), 5)
    sys.stdout.write(json.dumps(figures))


def _both(data: Path, minutes: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "scripts.evaluation.transcript_long", "one"]
    running = [
        subprocess.Popen([*command, role, str(data), str(minutes)], cwd=ROOT, stdout=subprocess.PIPE)
        for role in ("asr", "diarizer")
    ]
    figures: dict[str, Any] = {}
    for process in running:
        figures |= json.loads(process.communicate()[0])
    typer.echo(figures)
    return figures


def _joined(data: Path, length_s: int) -> Recording:
    pieces = [item.recording().samples for item in interviews(data)]
    return Recording(np.resize(np.concatenate(pieces), length_s * SAMPLE_RATE))


def _text(heard: Transcription) -> str:
    return " ".join(Line("", " ".join(word.text for word in heard.words)).words)


def _quiet(*_: Any) -> None:
    """Progress nobody looks at."""


if __name__ == "__main__":
    app()
