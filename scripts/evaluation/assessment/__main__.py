"""`python -m scripts.evaluation.assessment`: measure the assessment, write `assessment.json` and `assessment.md`.

Ranking: graded short answers, judged by the code that judges interviews. Attacks and variants: the bundled interview,
assessed again and again with one change.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deployments.profiles import load_profile
from scripts.evaluation.assessment.attack_cases import (
    BLIND,
    NEAR,
    ORDINARY,
    read_apart_sets,
    read_author,
    read_tried_sets,
)
from scripts.evaluation.assessment.attacks import measure_attacks
from scripts.evaluation.assessment.drift import measure_drift
from scripts.evaluation.assessment.interview_answers import measure_answers, read_file
from scripts.evaluation.assessment.models import ignore_progress, model_of
from scripts.evaluation.assessment.ranking import measure_ranking
from scripts.evaluation.assessment.rated_answers import read_answers
from scripts.evaluation.assessment.sample import sample_interview
from scripts.evaluation.assessment.table import table
from scripts.evaluation.paths import BENCHMARKS, REFERENCES

QUICK_ANSWERS, QUICK_CASES = 40, 6
ALL_CASES = 5000
"""Limit per set that no set reaches."""
console = Console()


def main(  # noqa: PLR0913 - options of a command line
    *,
    data: Annotated[Path, typer.Option(help="Folder of the references.")] = REFERENCES,
    profile: Annotated[str, typer.Option(help="Models: a profile's name or path.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for assessment.json and assessment.md.")] = BENCHMARKS,
    quick: Annotated[bool, typer.Option(help=f"{QUICK_ANSWERS} answers and {QUICK_CASES} cases per set.")] = False,
    limit: Annotated[int, typer.Option(help="Answers that the model judges alone; each takes seconds on a CPU.")] = 200,
    blind: Annotated[Path, typer.Option(help="Folder of cases not seen during development.")] = BLIND,
    answers: Annotated[
        Path | None, typer.Option(help="Measure only these interview answers (JSON lines), and print the figures.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="File of model answers, to resume a run.")] = None,
) -> None:
    """Measure the assessment and write the figures."""
    backend: Any = load_profile(profile).assessor.build()
    if answers is not None:
        backend.load(ignore_progress)
        console.print_json(json.dumps(measure_answers(read_file(answers), model_of(backend))))
        return
    path = data / "ratings/mohler_short_answers/mohler.jsonl"
    if not path.is_file():
        console.print(f"No rated answers: {path} does not exist. Pass their folder with --data.")
        raise typer.Exit(1)
    backend.load(ignore_progress)
    model, request = model_of(backend, cache), sample_interview()
    began = time.perf_counter()
    assessment = backend.run(request, ignore_progress)
    seconds = time.perf_counter() - began
    spoken = data / "ratings/interview_answers"
    levels = [answer for file in sorted(spoken.glob("*.jsonl")) for answer in read_file(file)]
    sets = [case_set for folder in (blind, NEAR, ORDINARY) for case_set in read_author(folder, "blind")]
    sets += read_apart_sets()
    try:
        figures = {
            "model": model.name,
            "quick": quick,
            "seconds_per_assessment": round(seconds, 1),
            "tokens_per_assessment": asdict(assessment.usage),
            **(measure_answers(levels, model) if levels else {}),
            "fairness_drift": measure_drift(request, model),
            **measure_attacks(request, model, [*read_tried_sets(), *sets], QUICK_CASES if quick else ALL_CASES),
            **measure_ranking(read_answers(path), model, QUICK_ANSWERS if quick else limit),
        }
    finally:
        model.save()
    out.mkdir(parents=True, exist_ok=True)
    (out / "assessment.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    (out / "assessment.md").write_text(table(figures), "utf-8")
    console.print(table(figures))


if __name__ == "__main__":
    typer.run(main)
