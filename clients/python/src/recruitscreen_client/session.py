"""What every command of the command line receives, and the arguments that many of them share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from recruitscreen_client.client import RecruitScreen
from recruitscreen_client.plain import plain

JobId = Annotated[str, typer.Argument(metavar="JOB_ID")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


@dataclass(frozen=True, slots=True)
class Session:
    """The client and the consoles."""

    client: RecruitScreen
    out: Console
    err: Console

    def print(self, data: Any, view: Callable[[Any], Any], *, as_json: bool) -> None:
        """Print `data` as JSON, or its `view`."""
        if as_json:
            typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        else:
            self.out.print(view(data))

    def save(self, path: Path, content: str | bytes) -> None:
        """Write a file and say so."""
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.err.print(plain(f"Saved {path}"))
