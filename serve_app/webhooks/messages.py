"""What is sent: thin messages. Content stays behind the API, so that access rights and erasure reach all of it."""

import json
from typing import Any

from serve_app.webhooks.models import Event

MAX_BYTES = 2000
"""Longest message. Metadata that would make it longer is left out."""


def message(event: Event, public_url: str) -> dict[str, Any]:
    """`{"type", "timestamp", "data"}` of an event. `metadata` is None when it is too long to send."""
    data: dict[str, Any] = dict(event.data)
    if event.job_id is not None:
        url = f"{public_url.rstrip('/')}/v1/jobs/{event.job_id}"
        data |= {"status_url": url, "events_url": f"{url}/events", "metadata": event.labels or {}}
    whole = {"type": event.type, "timestamp": event.created_at.isoformat(), "data": data}
    if len(encode(whole)) > MAX_BYTES:
        data["metadata"] = None
    return whole


def encode(message_: dict[str, Any]) -> bytes:
    """The message as the bytes that are signed and sent. The same message gives the same bytes."""
    return json.dumps(message_, ensure_ascii=False, separators=(",", ":")).encode()
