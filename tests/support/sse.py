"""Read a job's event stream with a synchronous client."""

import json
from collections.abc import Iterator
from typing import Any

import httpx


def events(client: httpx.Client, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (event name, data) until the server ends the stream."""
    with client.stream("GET", url, timeout=None) as stream:
        name = ""
        for line in stream.iter_lines():
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                yield name, json.loads(value)
