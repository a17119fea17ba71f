"""`make bench`: the pool's speed and memory, written to docs/benchmarks/pool.json and pool.md.

Every overhead is the difference to a bare load of the same weights in the same run, so that a slow or busy machine
weighs on both sides. Medians throughout.
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

from scripts import bench_cold, bench_edge
from scripts.embedded import free_port, postgres
from scripts.first_account import first_key
from scripts.stack import ROOT, Options, Stack
from serve_app.schema import migrate

RESULTS = ROOT / "docs" / "benchmarks"
console = Console()
Section: TypeAlias = Callable[[], dict[str, Any]]


def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions of every cold start.")] = 5,
    streams: Annotated[int, typer.Option(min=1, help="Event streams to hold open at once.")] = 1000,
    profile: Annotated[str, typer.Option(help="Models whose cold starts are measured.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure the pool and the edge on this machine."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="rs-bench-")))
        stack = parts.enter_context(_stack(parts, folder, profile))
        key = first_key(stack.environment["DATABASE_URL"], Path("/nonexistent"))
        results: dict[str, Any] = {"profile": profile, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
        sample = (ROOT / "config" / "sample" / "interview.ogg").read_bytes()
        sections: dict[str, Section] = {
            "status page": lambda: asyncio.run(bench_edge.status_ms(stack)),
            "uploads": lambda: bench_edge.upload_memory(stack, key, folder),
            "event streams": lambda: asyncio.run(bench_edge.streams(stack, key, sample, streams)),
            "cold starts": lambda: bench_cold.measure(stack, profile, rounds),
        }
        for name, section in sections.items():
            console.print(f"{name} …")
            measured = section()
            console.print_json(data=_rounded(measured))
            results |= measured
    write(results, out)
    console.print((out / "pool.md").read_text("utf-8"), markup=False)


def _stack(parts: ExitStack, folder: Path, profile: str) -> Stack:
    """The product over slow fakes, and two bare pools over the models of `profile`, each with its own database."""
    url = parts.enter_context(postgres(folder / "postgres"))
    names = (bench_edge.PRODUCT, bench_cold.UNLOADING, bench_cold.LEAVING)
    databases = {name: _database(url, name) for name in names}
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    unplaced = str(bench_cold.unplaced(profile, folder / "unplaced.yaml"))
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(bench_cold.applications(config, unplaced, databases)), "utf-8")
    os.environ["DATABASE_URL"] = databases[bench_edge.PRODUCT]
    slow = str(bench_cold.slow_profile(folder / "slow.yaml"))
    environment = {"RATE_LIMIT": "1000000/minute"}  # one key opens all the streams
    options = Options(folder, free_port(), free_port(), path, slow, environment)
    return Stack(options, say=lambda line: console.print(f"[dim]{line}"))


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.replace("/postgres?", f"/{name}?")
    migrate(url)
    return url


def write(results: dict[str, Any], out: Path) -> None:
    """The results as JSON for programs and as a table for people."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "pool.json").write_text(json.dumps(_rounded(results), indent=2) + "\n", "utf-8")
    (out / "pool.md").write_text(_table(results), "utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def _table(results: dict[str, Any]) -> str:
    roles = results["roles"].items()
    lines = [
        "# The pool, measured",
        "",
        f"`make bench` on {results['cores']} cores, profile `{results['profile']}`, medians of {results['rounds']}.",
        "Overhead is what a start costs beyond the same weights loaded in a bare process of the same run.",
        "",
        "| model | bare weights, s | weights cold: + s | process cold: + s |",
        "| --- | --- | --- | --- |",
        *(
            f"| {role} | {row['bare_weights_s']:.2f} | {row['weights_cold_overhead_s']:.2f} "
            f"| {row['cold_start_overhead_s']:.2f} |"
            for role, row in roles
        ),
        "",
        "| edge | |",
        "| --- | --- |",
        f"| status page at the app, p50 / p95 | {results['status_ms_p50']:.1f} / {results['status_ms_p95']:.1f} ms |",
        f"| status page through Serve's proxy, p50 | {results['status_through_proxy_ms_p50']:.1f} ms |",
        f"| memory per 100 MB upload at the proxy | {results['upload_extra_mib_per_100mb_proxy']:.0f} MiB |",
        f"| memory per 100 MB upload at the ingress | {results['upload_extra_mib_per_100mb_replica']:.0f} MiB |",
        f"| a GET with no stream open, p50 | {results['get_ms_p50_alone']:.0f} ms |",
        f"| a GET with {results['streams']} streams open, p50 | {results['get_ms_p50_with_streams']:.0f} ms |",
        f"| a GET with {results['streams']} streams open, slowest | {results['get_ms_max_with_streams']:.0f} ms |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(bench)
