"""Read the values of command-line options. Raises `BadParameter`, which names the option and what it takes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
import yaml


def pairs(texts: Iterable[str] | None, option: str = "--metadata") -> dict[str, str]:
    """The values of a repeated option NAME=VALUE."""
    return dict(_pair(text, option) for text in texts or ())


def text_of(text: str | None) -> str | None:
    """The text, or the content of the file after an `@`."""
    return Path(text[1:]).read_text("utf-8") if text and text.startswith("@") else text


def read_rubric(path: Path | None) -> dict[str, Any] | None:
    """The content of a rubric file."""
    if path is None:
        return None
    rubric = _read(path)
    if not isinstance(rubric, dict):
        raise typer.BadParameter(f"'{path}' is not a rubric. A rubric starts with 'competencies:'.")
    return rubric


def read_lines(path: Path) -> list[Any]:
    """The content of a file of corrected lines."""
    lines = _read(path)
    if not isinstance(lines, list):
        raise typer.BadParameter(f"'{path}' is no list. Each item has 'line' and 'text', 'speaker' or both.")
    return lines


def _read(path: Path) -> Any:
    """The content of a YAML or JSON file: the YAML parser also reads JSON."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise typer.BadParameter(f"'{path}' is neither YAML nor JSON.") from None
    return json.loads(json.dumps(content, default=str))  # YAML reads 2026-11-01 as a date


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{option} takes NAME=VALUE, not '{text}'.")
    return name, value
