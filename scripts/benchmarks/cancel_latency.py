"""Cancel latency: the longest pause between two progress reports of each model, on a real recording.

`progress` raises once a job is canceled, so a model stops at its next report. The recording goes through the service's
own flow: transcription and diarization share the cores as in production. Prints JSON.
"""

import asyncio
import json
import os
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from deployments.backends import Backend
from deployments.profiles import ModelSpec, load_profile
from deployments.replica.local_pool import LocalPool
from scripts.evaluation.observed import MemoryJournal, ObservedBackend, Run
from serve_app.pipeline.interview import Interview, run
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import ROLES, ModelRequest
from serve_app.settings import ROOT
from serve_app.verticals.catalog import Catalog

REPORTS: dict[str, list[float]] = {}
"""By role: monotonic times of start, reports and end, in seconds."""


class _Timed(ModelSpec):
    """A spec whose backend records the times of its reports."""

    def build(self) -> Backend:
        return ObservedBackend(super().build(), _timed)


def _timed(run: Run, request: ModelRequest[Any], progress: Progress) -> Any:
    times = REPORTS.setdefault(request.role, [time.monotonic()])
    result = run(request, _recording_times(progress, times))
    times.append(time.monotonic())
    return result


def _recording_times(progress: Progress, times: list[float]) -> Progress:
    def record(share: float) -> None:
        times.append(time.monotonic())
        progress(share)

    return record


def main(recording: Path, profile: str = "embedded") -> None:
    """Process `recording` and print the pauses in seconds."""
    asyncio.run(_run(recording, profile))
    pauses = {name: sorted(b - a for a, b in pairwise(times)) for name, times in REPORTS.items()}
    figures = {
        name: {
            "took_s": round(sum(gaps), 1),
            "reports": len(gaps),
            "longest_s": round(gaps[-1], 2),
            "second_s": round(gaps[-2], 2),
            "p95_s": round(gaps[int(0.95 * len(gaps))], 2),
        }
        for name, gaps in pauses.items()
    }
    print(json.dumps({"recording": recording.name, "load_average": round(os.getloadavg()[0], 1), **figures}, indent=1))


async def _run(recording: Path, profile: str) -> None:
    chosen, journal = load_profile(profile), MemoryJournal()
    pool = LocalPool({role: _Timed.model_validate(getattr(chosen, role).model_dump()) for role in ROLES})
    for role in ROLES:
        await pool.warm(role, journal)
    rubric = Catalog.read(ROOT / "config" / "verticals").get("recruitscreen").assessment.rubric()
    await run(Interview(lambda: nullcontext(recording), 4 * 3600.0, 0.0, "Engineer", rubric), pool, journal)
    await pool.close()


if __name__ == "__main__":
    typer.run(main)
