"""The transcript half of `make eval`: the service beside a plain script with the same weights, on the same recordings.

Writes `transcript.json` and a table. `service_over_script` and `overhead_share` come from one run on one recording, the
service before and after the script; the scores per set say which of the script's outputs an earlier run left.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from deployments.profiles import load_profile
from scripts.evaluation.plain_script import Output, PlainScript
from scripts.evaluation.transcript_scores import Scores
from scripts.evaluation.transcript_service import Service, write_wav
from scripts.evaluation.transcript_sets import WHOLE, Item, interviews, items, silences
from scripts.evaluation.transcript_table import table
from serve_app.pipeline.types import SAMPLE_RATE, Recording

ROOT = Path(__file__).resolve().parents[2]
LENGTH_S = 600.0
"""The interview that speed is measured on is the one nearest to this length."""
console = Console()
System = Service | PlainScript


def scores(read: dict[Path, tuple[Item, Output]], lengths: dict[Path, float]) -> dict[str, Any]:
    """Figures of one system by set of recordings."""
    groups: defaultdict[str, Scores] = defaultdict(Scores)
    kept: defaultdict[str, list[bool]] = defaultdict(list)
    for path, (item, out) in read.items():
        found = groups[item.group]
        kept[item.group].append(out.kept)
        if item.lines:
            found.add_words(list(item.lines), list(out.lines))
        if item.turns:
            found.add_turns(list(item.turns), out.turns, lengths[path], item.collar_s)
        if item.turns and item.lines:
            found.add_speakers(list(item.lines), list(out.lines))
        if out.coverage:
            found.add_coverage(*out.coverage)
        found.add_time(lengths[path], out.asr_s, out.diarizer_s, out.total_s)
    return {
        name: {**found.report(), "recordings": len(kept[name]), "from_earlier_run": sum(kept[name])}
        for name, found in groups.items()
    }


def evaluate(
    service: Service, plain: PlainScript | None, chosen: Sequence[Item], *, fresh: bool
) -> Iterator[dict[str, Any]]:
    """Figures of both systems by set, again after every set; the script reads nothing new unless `fresh`."""
    systems: dict[str, Any] = {}
    for group in dict.fromkeys(item.group for item in chosen):
        members = [item for item in chosen if item.group == group]
        lengths = {item.path: item.recording().duration_s for item in members}
        ours = {item.path: (item, service.read(item)) for item in members}
        systems.setdefault(service.name, {}).update(scores(ours, lengths))
        if plain is not None:
            # of whole interviews only the words: its diarization takes as long as the talk
            heard = [replace(item, turns=()) if group == WHOLE else item for item in members]
            outputs = [(item, plain.known(item) or (plain.run(item) if fresh else None)) for item in heard]
            theirs = {item.path: (item, out) for item, out in outputs if out is not None}
            systems.setdefault(plain.name, {}).update(scores(theirs, lengths))
        console.print(f"{group}: {[(name, found.get(group)) for name, found in systems.items()]}")
        yield systems


def words_in_silence(systems: Sequence[System], data: Path, folder: Path) -> dict[str, int]:
    """Words each system hears in silence, a tone and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = (np.random.default_rng(7).standard_normal(30 * SAMPLE_RATE) * 0.05).astype(np.float32)
    write_wav(folder / "noise.wav", Recording(noise))
    empty = [Item("silence", path, ()) for path in (folder / "noise.wav", *silences(data))]
    return {
        system.name: sum(len(line.text.split()) for item in empty for line in _read(system, item).lines)
        for system in systems
    }


def _read(system: System, item: Item) -> Output:
    return system.read(item) if isinstance(system, Service) else system.known(item) or system.run(item)


def speed(service: Service, plain: PlainScript | None, warm: Item, item: Item) -> dict[str, Any]:
    """Both systems on one interview, warm, in turns: service, script, service."""
    service.read(warm)
    first = service.read(item)
    script = None
    if plain is not None:
        plain.run(warm)
        script = plain.run(item)
    ours = [first, service.read(item)]
    total_s = mean(out.total_s for out in ours)
    figures: dict[str, Any] = {
        "recording": item.path.stem,
        "audio_s": round(item.recording().duration_s, 1),
        "service_s": [round(out.total_s, 2) for out in ours],
        "service_asr_s": [round(out.asr_s, 2) for out in ours],
        "service_diarizer_s": [round(out.diarizer_s, 2) for out in ours],
        "overhead_s": [round(out.overhead_s, 3) for out in ours],
        "overhead_share": round(mean(out.overhead_s / out.total_s for out in ours), 4),
    }
    if script is None:
        return figures
    return figures | {
        "script_s": round(script.total_s, 2),
        "script_asr_s": round(script.asr_s, 2),
        "script_diarizer_s": round(script.diarizer_s, 2),
        "service_over_script": round(total_s / script.total_s, 4),
        "quality": {
            name: scores({item.path: (item, out)}, {item.path: item.recording().duration_s})[item.group]
            for name, out in ((service.name, first), (plain.name if plain else "", script))
        },
    }


def _nearest(chosen: Sequence[Item]) -> Item:
    return min(chosen, key=lambda item: abs(item.recording().duration_s - LENGTH_S))


def main(  # noqa: PLR0913 — options of a command line
    *,
    data: Annotated[Path, typer.Option(help="Folder of the evaluation recordings.")] = ROOT / ".." / "shared" / "eval",
    profile: Annotated[str, typer.Option(help="Models: a profile's name or path.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for transcript.json and transcript.md.")] = ROOT / "docs/benchmarks",
    kept: Annotated[Path, typer.Option(help="Folder of the script's outputs.")] = ROOT / ".run" / "eval",
    quick: Annotated[bool, typer.Option(help="A call, two meeting clips, 3 minutes of an interview.")] = False,
    only: Annotated[str, typer.Option(help="Measure only `speed` or `sets`, and keep the other's figures.")] = "",
    plain: Annotated[str, typer.Option(help="The script: `run`, only outputs that are `kept`, or `none`.")] = "run",
) -> None:
    """Measure transcripts and write the figures."""
    loaded, chosen = load_profile(profile), items(data, quick=quick)
    if not chosen:
        console.print(f"no recordings under {data}")
        raise typer.Exit(1)
    service, script = Service(loaded), PlainScript(loaded, kept / "plain") if plain != "none" else None
    results: dict[str, Any] = {
        "service_over_script": None,  # both filled in from `speed`
        "overhead_share": None,
        "profile": Path(profile).stem,
        "asr": loaded.asr.name,
        "diarizer": loaded.diarizer.name,
        "cpus": len(os.sched_getaffinity(0)),
        "quick": quick,
    }
    if only != "sets":
        timed = chosen[-1] if quick else _nearest(interviews(data))
        results["speed"] = speed(service, script if plain == "run" else None, chosen[0], timed)
    if only != "speed":
        results["words_in_silence"] = words_in_silence([service, *([script] if script else [])], data, kept)
        for results["systems"] in evaluate(service, script, chosen, fresh=plain == "run"):
            _write(out, results)
    service.close()
    _write(out, results)
    console.print((out / "transcript.md").read_text("utf-8"), markup=False)


def _write(out: Path, results: dict[str, Any]) -> None:
    """Write JSON and table: what was measured now, over what the file holds, and the figures of long recordings."""
    out.mkdir(parents=True, exist_ok=True)
    known = out / "transcript.json"
    if "systems" in results:  # of the sets; the speed is a ratio of one run
        results["load_average"] = round(os.getloadavg()[2], 1)
    results = (json.loads(known.read_text("utf-8")) if known.is_file() else {"load_average": None}) | results
    results |= {name: results.get("speed", {}).get(name) for name in ("service_over_script", "overhead_share")}
    long = out / "transcript_long.json"
    if long.is_file():
        results["long"] = json.loads(long.read_text("utf-8"))
    (out / "transcript.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (out / "transcript.md").write_text(table(results), "utf-8")


if __name__ == "__main__":
    typer.run(main)
