"""Measurements of transcripts: scores per set, words in silence, and speed on one interview."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from rich.console import Console

from scripts.evaluation.transcript.plain_script import PlainScript, SystemOutput
from scripts.evaluation.transcript.recordings import WHOLE, ReferenceRecording, list_silences
from scripts.evaluation.transcript.scores import Scores
from scripts.evaluation.transcript.service import Service, write_wav
from serve_app.pipeline.types import SAMPLE_RATE, Recording

System = Service | PlainScript
Outputs = Mapping[Path, tuple[ReferenceRecording, SystemOutput]]
console = Console()


def score_sets(outputs: Outputs, lengths: Mapping[Path, float]) -> dict[str, Any]:
    """Return the figures of one system by set. `lengths` are the recordings' seconds."""
    sets: defaultdict[str, Scores] = defaultdict(Scores)
    cached: defaultdict[str, list[bool]] = defaultdict(list)
    for path, (item, output) in outputs.items():
        scores = sets[item.group]
        cached[item.group].append(output.kept)
        if item.lines:
            scores.add_words(list(item.lines), list(output.lines))
        if item.turns:
            scores.add_turns(list(item.turns), output.turns, lengths[path], item.collar_s)
        if item.turns and item.lines:
            scores.add_speakers(list(item.lines), list(output.lines))
        if output.coverage:
            scores.add_coverage(*output.coverage)
        scores.add_time(lengths[path], output.asr_s, output.diarizer_s, output.total_s)
    return {
        name: {**scores.report(), "recordings": len(cached[name]), "from_earlier_run": sum(cached[name])}
        for name, scores in sets.items()
    }


def measure_sets(
    service: Service, script: PlainScript | None, recordings: Sequence[ReferenceRecording], *, run_script: bool
) -> Iterator[dict[str, Any]]:
    """Yield the figures of both systems by set, after each set. Without `run_script`, only cached outputs count."""
    systems: dict[str, Any] = {}
    for group in dict.fromkeys(item.group for item in recordings):
        members = [item for item in recordings if item.group == group]
        lengths = {item.path: item.decode().duration_s for item in members}
        service_outputs = {item.path: (item, service.transcribe(item)) for item in members}
        systems.setdefault(service.name, {}).update(score_sets(service_outputs, lengths))
        if script is not None:
            # Only the words of whole interviews: the script's diarization takes as long as the recording.
            items = [replace(item, turns=()) if group == WHOLE else item for item in members]
            outputs = [
                (item, script.cached(item) or (script.transcribe(item) if run_script else None)) for item in items
            ]
            script_outputs = {item.path: (item, output) for item, output in outputs if output is not None}
            systems.setdefault(script.name, {}).update(score_sets(script_outputs, lengths))
        console.print(f"{group}: {[(name, figures.get(group)) for name, figures in systems.items()]}")
        yield systems


def count_words_in_silence(systems: Sequence[System], data: Path, folder: Path) -> dict[str, int]:
    """Count the words that each system recognises in silence, a tone and noise. Writes the noise to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = (np.random.default_rng(7).standard_normal(30 * SAMPLE_RATE) * 0.05).astype(np.float32)
    write_wav(folder / "noise.wav", Recording(noise))
    silences = [ReferenceRecording("silence", path, ()) for path in (folder / "noise.wav", *list_silences(data))]
    return {
        system.name: sum(len(line.text.split()) for item in silences for line in _transcribe(system, item).lines)
        for system in systems
    }


def _transcribe(system: System, item: ReferenceRecording) -> SystemOutput:
    cached = system.cached(item) if isinstance(system, PlainScript) else None
    return cached or system.transcribe(item)


def measure_speed(
    service: Service, script: PlainScript | None, warm_up: ReferenceRecording, item: ReferenceRecording
) -> dict[str, Any]:
    """Time both systems on one interview, warm, in the order service, script, service."""
    service.transcribe(warm_up)
    first = service.transcribe(item)
    script_output = None
    if script is not None:
        script.transcribe(warm_up)
        script_output = script.transcribe(item)
    runs = [first, service.transcribe(item)]
    total_s = mean(run.total_s for run in runs)
    figures: dict[str, Any] = {
        "recording": item.path.stem,
        "audio_s": round(item.decode().duration_s, 1),
        "service_s": [round(run.total_s, 2) for run in runs],
        "service_asr_s": [round(run.asr_s, 2) for run in runs],
        "service_diarizer_s": [round(run.diarizer_s, 2) for run in runs],
        "overhead_s": [round(run.overhead_s, 3) for run in runs],
        "overhead_share": round(mean(run.overhead_s / run.total_s for run in runs), 4),
    }
    if script is None or script_output is None:
        return figures
    return figures | {
        "script_s": round(script_output.total_s, 2),
        "script_asr_s": round(script_output.asr_s, 2),
        "script_diarizer_s": round(script_output.diarizer_s, 2),
        "service_over_script": round(total_s / script_output.total_s, 4),
        "quality": {
            name: score_sets({item.path: (item, output)}, {item.path: item.decode().duration_s})[item.group]
            for name, output in ((service.name, first), (script.name, script_output))
        },
    }
