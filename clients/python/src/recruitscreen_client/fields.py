"""What requests are made of: paths, form fields, query parameters. Sends nothing."""

import json
import mimetypes
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from recruitscreen_client.options import UsageColumn

DEFAULT_BASE_URL = "http://127.0.0.1:8000"
TERMINAL = frozenset({"completed", "failed", "canceled"})
MAX_WAIT_S = 60
"""Seconds that the API allows for one long poll."""


def usage_query(since: date | None, until: date | None, by: Sequence[UsageColumn] | None) -> dict[str, Any]:
    """The query of a request for usage."""
    ends = {"from": since, "to": until}
    return {name: day.isoformat() for name, day in ends.items() if day} | ({"by": by} if by else {})


def job_path(job_id: str) -> str:
    """The path of a job."""
    return f"/v1/jobs/{segment(job_id)}"


def segment(text: str) -> str:
    """`text`, escaped as one segment of a path."""
    return quote(text, safe="")


def file_part(file: BinaryIO) -> tuple[str, BinaryIO, str]:
    """The file field of a form."""
    name = Path(file.name).name
    return name, file, mimetypes.guess_type(name)[0] or "application/octet-stream"


def form(fields: dict[str, Any]) -> dict[str, str]:
    """Form fields, without None."""
    return {name: text(value) for name, value in fields.items() if value is not None}


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without None."""
    return {name: value for name, value in fields.items() if value is not None}


def text(value: object) -> str:
    """A value as text: dicts, lists and booleans as JSON."""
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)
