"""`make run`: start the system, assess the bundled interview, run until Ctrl-C."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from recruitscreen_client import RecruitScreenError
from rich.console import Console
from rich.markup import escape

from scripts.launcher.first_account import first_key, sign_in_link
from scripts.launcher.sample_job import run_sample
from scripts.launcher.stack import PRODUCTION, Options, Stack, StartFailed, production_environment
from scripts.launcher.watch import adopt_orphans
from serve_app.settings import ROOT

console = Console()


def run(  # noqa: PLR0913 — the options of the command line
    *,
    sample: Annotated[bool, typer.Option(help="Assess the bundled interview after the start.")] = True,
    port: Annotated[int, typer.Option(help="Port of the API.")] = 8000,
    ray_dashboard_port: Annotated[int, typer.Option(help="Port of the Ray dashboard.")] = 8265,
    profile: Annotated[str | None, typer.Option(help="Models: embedded, gpu-24g, gpu-80g, fake, or a path.")] = None,
    production: Annotated[bool, typer.Option(help="Use the production config: HAProxy, several replicas.")] = False,
    folder: Annotated[Path, typer.Option(help="Folder of database, uploads and logs.")] = ROOT / ".run",
) -> None:
    """Start RecruitScreen on this machine."""
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    adopt_orphans()
    options = Options(folder.resolve(), port, ray_dashboard_port, profile=profile)
    if production:
        options = replace(options, config=PRODUCTION, environment=production_environment())
    try:
        with Stack(options, say=lambda line: console.print(f"[dim]{escape(line)} …[/]")) as stack:
            quickstart = write_quickstart(stack, options.folder / "quickstart.json")
            console.print(f"Ready after {time.monotonic() - began:.0f} s.")
            if sample:
                run_sample(stack.base_url, quickstart["api_key"], console)
            announce(quickstart, sign_in_link(stack.environment["DATABASE_URL"], stack.base_url, quickstart["api_key"]))
            signal.pause()
    except (StartFailed, RecruitScreenError) as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("Stopped.")


def _interrupt(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the shutdown
    console.print("\nStopping …")
    raise KeyboardInterrupt


def write_quickstart(stack: Stack, path: Path) -> dict[str, str]:
    """Write URLs and the first API key to `path`. Only this user can read the file."""
    quickstart = {
        "base_url": stack.base_url,
        "api_key": first_key(stack.environment["DATABASE_URL"], path),
        "dashboard_url": f"{stack.base_url}/pool",
        "ray_dashboard_url": stack.ray_dashboard_url,
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(quickstart, file, indent=2)
    return quickstart


def announce(quickstart: dict[str, str], link: str) -> None:
    """Print the URLs, the key, and the link that signs in."""
    console.print(
        f"\n[bold]RecruitScreen is running.[/] Ctrl-C stops it.\n"
        f"  Web app        {link}\n"
        f"                 (signs you in, once; `recruitscreen-admin sign-in-link owner@localhost` makes another)\n"
        f"  API            {quickstart['base_url']}   (documentation at {quickstart['base_url']}/docs)\n"
        f"  Model pool     {quickstart['dashboard_url']}\n"
        f"  Ray dashboard  {quickstart['ray_dashboard_url']}\n"
        f"  API key        {quickstart['api_key']}\n",
        highlight=False,
        soft_wrap=True,  # a link that is broken in two cannot be clicked
    )


if __name__ == "__main__":
    typer.run(run)
