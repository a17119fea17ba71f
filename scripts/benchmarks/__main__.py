"""`make bench`: speed and memory of pool and API, written to docs/benchmarks/pool.json and pool.md.

An overhead is the difference to a bare load of the same weights in the same run, so that a slow or busy machine affects
both. All figures are medians unless they say otherwise.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import psycopg
import typer
import yaml
from rich.console import Console

from scripts.benchmarks import cold_start as bench_cold
from scripts.benchmarks import edge as bench_edge
from scripts.launcher.embedded import free_port, postgres
from scripts.launcher.first_account import first_key
from scripts.launcher.stack import PRODUCTION, Options, Stack, production_environment
from serve_app.migrate import migrate
from serve_app.settings import ROOT

RESULTS = ROOT / "docs" / "benchmarks"
SAMPLE = ROOT / "config" / "sample" / "interview.ogg"
console = Console()
Section: TypeAlias = Callable[[], dict[str, Any]]


def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions of every cold start.")] = 5,
    streams: Annotated[int, typer.Option(min=1, help="Event streams to hold open at once.")] = 1000,
    races: Annotated[int, typer.Option(min=3, help="Calls at the moment of scale to zero.")] = 102,
    profile: Annotated[str, typer.Option(help="Profile of the models to start.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = RESULTS,
) -> None:
    """Measure the model pool and the API on this machine."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="rs-bench-")))
        stack = parts.enter_context(_stack(parts, folder, profile))
        key = first_key(stack.environment["DATABASE_URL"], Path("/nonexistent"))
        results: dict[str, Any] = {"profile": profile, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
        sections: dict[str, Section] = {
            "cold starts": lambda: bench_cold.measure(stack, profile, rounds),
            "status page": lambda: asyncio.run(bench_edge.status_ms(stack)),
            "uploads": lambda: bench_edge.upload_memory(stack, key, folder),
            "event streams": lambda: asyncio.run(bench_edge.streams(stack, key, SAMPLE.read_bytes(), streams)),
            "calls at scale to zero": lambda: bench_cold.races(stack, races),
        }
        results |= _measure(sections)
        write(results, out)  # keep these results if the rest fails
    results["haproxy"] = _with_haproxy(streams)
    write(results, out)
    console.print((out / "pool.md").read_text("utf-8"), markup=False)


def _with_haproxy(streams: int) -> dict[str, Any]:
    """Measure the API again, in the production configuration."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="rs-bench-")))
        os.environ["DATABASE_URL"] = _database(parts.enter_context(postgres(folder / "postgres")), bench_edge.PRODUCT)
        slow = str(bench_cold.fakes(folder / "slow.yaml", 300.0))
        environment = production_environment() | {"RATE_LIMIT": "1000000/minute"}
        options = Options(folder, free_port(), free_port(), PRODUCTION, slow, environment)
        stack = parts.enter_context(Stack(options, say=lambda line: console.print(f"[dim]{line}")))
        key = first_key(stack.environment["DATABASE_URL"], Path("/nonexistent"))
        sections: dict[str, Section] = {
            "status page": lambda: asyncio.run(bench_edge.status_ms(stack)),
            "uploads": lambda: bench_edge.upload_memory(stack, key, folder),
            "event streams": lambda: asyncio.run(bench_edge.streams(stack, key, SAMPLE.read_bytes(), streams)),
        }
        return _measure(sections)


def _measure(sections: dict[str, Section]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, section in sections.items():
        console.print(f"{name} …")
        figures = section()
        console.print_json(data=_rounded(figures))
        results |= figures
    return results


def _stack(parts: ExitStack, folder: Path, profile: str) -> Stack:
    """The product over slow fakes, and three bare pools beside it, each with its own database."""
    url = parts.enter_context(postgres(folder / "postgres"))
    names = (bench_edge.PRODUCT, bench_cold.UNLOADING, bench_cold.LEAVING, bench_cold.RACING)
    databases = {name: _database(url, name) for name in names}
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    models = str(bench_cold.unplaced(profile, folder / "unplaced.yaml"))
    quick = str(bench_cold.fakes(folder / "quick.yaml", 0.0))
    profiles = {bench_cold.UNLOADING: models, bench_cold.LEAVING: models, bench_cold.RACING: quick}
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(bench_cold.applications(config, profiles, databases)), "utf-8")
    os.environ["DATABASE_URL"] = databases[bench_edge.PRODUCT]
    slow = str(bench_cold.fakes(folder / "slow.yaml", 300.0))
    environment = {"RATE_LIMIT": "1000000/minute"}  # one key opens all event streams
    options = Options(folder, free_port(), free_port(), path, slow, environment)
    return Stack(options, say=lambda line: console.print(f"[dim]{line}"))


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.replace("/postgres?", f"/{name}?")
    migrate(url)
    return url


def write(results: dict[str, Any], out: Path) -> None:
    """Write the results as JSON and as a Markdown table."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "pool.json").write_text(json.dumps(_rounded(results), indent=2) + "\n", "utf-8")
    (out / "pool.md").write_text(_table(results), "utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value


EDGE = {
    "status page at the app, p50, ms": "status_ms_p50",
    "status page at the app, p95, ms": "status_ms_p95",
    "status page through the proxy, p50, ms": "status_through_proxy_ms_p50",
    "memory per 100 MB upload at the proxy, MiB": "upload_extra_mib_per_100mb_proxy",
    "memory per 100 MB upload at the ingress, MiB": "upload_extra_mib_per_100mb_replica",
    "open event streams": "streams",
    "a GET without streams, p50, ms": "get_ms_p50_alone",
    "a GET with the streams, p50, ms": "get_ms_p50_with_streams",
    "a GET with the streams, slowest, ms": "get_ms_max_with_streams",
}


def _cell(results: dict[str, Any], key: str) -> str:
    value = results.get(key)
    return "not measured" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _table(results: dict[str, Any]) -> str:
    roles = results["roles"].items()
    lines = [
        "# Speed and memory of the model pool",
        "",
        f"`make bench` on {results['cores']} cores, profile `{results['profile']}`, medians of {results['rounds']}.",
        f"Load average before the run: {results['load_before']:.1f}. Above 1, figures are slower.",
        "Overhead (+ s) is the time beyond a load of the same weights in a bare process of the same run.",
        "A model that was scaled to zero has a prestarted worker; at the very first start it has none.",
        "",
        "| model | bare weights, s | weights cold: + s | scaled to zero: + s | very first start: + s |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {role} | {row['bare_weights_s']:.2f} | {row['weights_cold_overhead_s']:.2f} "
            f"| {row['cold_start_overhead_s']:.2f} | {row['first_start_overhead_s']:.2f} |"
            for role, row in roles
        ),
        "",
        f"Calls at the moment of scale to zero: {_cell(results, 'race_rounds')},",
        f"of which failed: {_cell(results, 'race_failures')}.",
        "",
        "| API | Serve's proxy | HAProxy |",
        "| --- | --- | --- |",
        *(
            f"| {what} | {_cell(results, key)} | {_cell(results.get('haproxy', {}), key)} |"
            for what, key in EDGE.items()
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(bench)
