"""Long recordings: time and peak memory of both speech models, each in its own process, side by side.

Joins the interviews and repeats them up to each length. Compares transcribing in parts with transcribing the whole.
Writes `transcript_long.json`, which the transcript evaluation adds to its table.
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
from scripts.evaluation.paths import BENCHMARKS, REFERENCES
from scripts.evaluation.transcript.recordings import list_interviews
from scripts.evaluation.transcript.scores import Line
from serve_app.pipeline.transcribe_parts import join
from serve_app.pipeline.types import (
    SAMPLE_RATE,
    DiarizationRequest,
    Part,
    Recording,
    Transcription,
    TranscriptionRequest,
)
from serve_app.settings import ROOT

app = typer.Typer()
PARTS = 4
NOTE = (
    "The interviews joined and repeated; ASR and diarization side by side, each in its own process. Memory is the peak"
    " of the whole process: libraries, weights and the recording, which takes 37 MiB per ten minutes and is shared"
    " between replicas in the service."
)


@app.command()
def measure(
    data: Annotated[Path, typer.Option(help="Folder of the reference recordings.")] = REFERENCES,
    out: Annotated[Path, typer.Option(help="Folder for transcript_long.json.")] = BENCHMARKS,
    minutes: Annotated[str, typer.Option(help="Lengths, separated by commas.")] = "10,49,120",
) -> None:
    """Measure every length and write the figures. The file keeps those of other lengths."""
    if not list_interviews(data):
        typer.echo(f"No interviews under {data}. Pass the references' folder with --data.")
        raise typer.Exit(1)
    path = out / "transcript_long.json"
    out.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(path.read_text("utf-8"))["runs"] if path.is_file() else []
    runs = {run["audio_s"]: run for run in earlier}
    for length in map(int, minutes.split(",")):
        run = _measure_both(data, length)
        runs[run["audio_s"]] = run
        ordered = [runs[seconds] for seconds in sorted(runs)]
        path.write_text(json.dumps({"runs": ordered, "note": NOTE}, indent=1) + "\n", "utf-8")


@app.command()
def one(role: str, data: Path, minutes: int) -> None:
    """Measure one model in this process and print the figures as JSON."""
    audio = _repeat_interviews(data, minutes * 60)
    spec = getattr(load_profile("embedded"), role)
    backend = spec.build()
    backend.load(_ignore_progress)
    began = time.perf_counter()
    if role == "asr":
        transcription = backend.run(TranscriptionRequest(audio, "en"), _ignore_progress)
    else:
        diarization = backend.run(DiarizationRequest(audio), _ignore_progress)
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
        requests = [TranscriptionRequest(audio, "en", Part(index, PARTS)) for index in range(PARTS)]
        parts = [backend.run(request, _ignore_progress) for request in requests]
        figures["parts"] = PARTS
        figures["wer_of_parts_against_whole"] = round(jiwer.wer(_text(transcription), _text(join(parts))), 5)
    sys.stdout.write(json.dumps(figures))


def _measure_both(data: Path, minutes: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "scripts.evaluation.transcript.long_recordings", "one"]
    processes = [
        subprocess.Popen([*command, role, str(data), str(minutes)], cwd=ROOT, stdout=subprocess.PIPE)
        for role in ("asr", "diarizer")
    ]
    figures: dict[str, Any] = {}
    for process in processes:
        figures |= json.loads(process.communicate()[0])
    typer.echo(figures)
    return figures


def _repeat_interviews(data: Path, length_s: int) -> Recording:
    samples = [item.decode().samples for item in list_interviews(data)]
    return Recording(np.resize(np.concatenate(samples), length_s * SAMPLE_RATE))


def _text(transcription: Transcription) -> str:
    return " ".join(Line("", " ".join(word.text for word in transcription.words)).words)


def _ignore_progress(*_: Any) -> None:
    """Report progress to nobody."""


if __name__ == "__main__":
    app()
