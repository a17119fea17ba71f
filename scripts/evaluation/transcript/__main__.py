"""`python -m scripts.evaluation.transcript`: measure transcripts, write `transcript.json` and `transcript.md`.

The service runs beside a plain script with the same weights, on the same recordings. `service_over_script` and
`overhead_share` come from one run on one interview, the service before and after the script. The scores per set say how
many of the script's outputs come from an earlier run.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deployments.profiles import load_profile
from scripts.evaluation.paths import BENCHMARKS, CACHE, REFERENCES
from scripts.evaluation.transcript.measure import System, count_words_in_silence, measure_sets, measure_speed
from scripts.evaluation.transcript.plain_script import PlainScript
from scripts.evaluation.transcript.recordings import ReferenceRecording, list_interviews, list_recordings
from scripts.evaluation.transcript.service import Service
from scripts.evaluation.transcript.table import table

LENGTH_S = 600.0
"""Speed is measured on the interview whose length is nearest to this."""
console = Console()


def main(  # noqa: PLR0913 — options of a command line
    *,
    data: Annotated[Path, typer.Option(help="Folder of the reference recordings.")] = REFERENCES,
    profile: Annotated[str, typer.Option(help="Models: a profile's name or path.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for transcript.json and transcript.md.")] = BENCHMARKS,
    cache: Annotated[Path, typer.Option(help="Folder of the script's outputs.")] = CACHE,
    quick: Annotated[bool, typer.Option(help="A call, two meeting clips, 3 minutes of an interview.")] = False,
    only: Annotated[str, typer.Option(help="Measure only `speed` or `sets`; the file keeps the other figures.")] = "",
    plain: Annotated[str, typer.Option(help="The script: `run`, `cached` (earlier outputs only) or `none`.")] = "run",
) -> None:
    """Measure transcripts and write the figures."""
    models, recordings = load_profile(profile), list_recordings(data, quick=quick)
    if not recordings:
        console.print(f"No recordings under {data}. Pass their folder with --data.")
        raise typer.Exit(1)
    service, script = Service(models), PlainScript(models, cache / "plain") if plain != "none" else None
    results: dict[str, Any] = {
        "service_over_script": None,  # both filled in from `speed`
        "overhead_share": None,
        "profile": Path(profile).stem,
        "asr": models.asr.name,
        "diarizer": models.diarizer.name,
        "cpus": len(os.sched_getaffinity(0)),
        "quick": quick,
    }
    if only != "sets":
        timed = recordings[-1] if quick else _nearest(list_interviews(data))
        results["speed"] = measure_speed(service, script if plain == "run" else None, recordings[0], timed)
    if only != "speed":
        systems: list[System] = [service, *([script] if script else [])]
        results["words_in_silence"] = count_words_in_silence(systems, data, cache)
        for results["systems"] in measure_sets(service, script, recordings, run_script=plain == "run"):
            _write(out, results)
    service.close()
    _write(out, results)
    console.print((out / "transcript.md").read_text("utf-8"), markup=False)


def _nearest(recordings: Sequence[ReferenceRecording]) -> ReferenceRecording:
    return min(recordings, key=lambda item: abs(item.decode().duration_s - LENGTH_S))


def _write(out: Path, results: dict[str, Any]) -> None:
    """Write JSON and table: the new figures over those in the file, with the figures of long recordings."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "transcript.json"
    if "systems" in results:  # the load matters to the sets' speeds; `speed` is a ratio within one run
        results["load_average"] = round(os.getloadavg()[2], 1)
    results = (json.loads(path.read_text("utf-8")) if path.is_file() else {"load_average": None}) | results
    results |= {name: results.get("speed", {}).get(name) for name in ("service_over_script", "overhead_share")}
    long = out / "transcript_long.json"
    if long.is_file():
        results["long"] = json.loads(long.read_text("utf-8"))
    path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (out / "transcript.md").write_text(table(results), "utf-8")


if __name__ == "__main__":
    typer.run(main)
