"""Files of sentences: one per line; double brackets mark the parts that address the assessor."""

import re
from pathlib import Path

BRACKETS = re.compile(r"\[\[|\]\]")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file; none where there is no such file."""
    return path.read_text("utf-8").splitlines() if path.is_file() else []


def split_marked(line: str) -> list[tuple[str, bool]]:
    """Split a line at its double brackets. Each piece comes with whether it stood between them."""
    pieces = [piece.strip() for piece in BRACKETS.split(line)]
    return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]
