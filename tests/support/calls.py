"""API calls that many tests make."""

import json
from typing import Any

import httpx

from tests.support.world import Customer, tone

JOBS = "/v1/recruitscreen/jobs"
UPGRADE_OFFER = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA",
}
"""Headers that Java's HttpClient and `curl --http2` send with every request to an `http://` address."""


async def submit(client: httpx.AsyncClient, customer: Customer, seconds: float = 2.0, **more: Any) -> httpx.Response:
    """Submit a recording of `seconds` seconds."""
    files = {"file": ("call.wav", tone(seconds), "audio/wav")}
    headers = customer.headers | more.pop("headers", {})
    return await client.post(JOBS, data={"role_title": "Backend Engineer"} | more, files=files, headers=headers)


def error(response: httpx.Response) -> str:
    """The code of an error response, after a check of its common fields."""
    detail = response.json()["detail"]
    assert {"error", "code", "message", "retryable", "request_id", "docs_url"} <= detail.keys()
    assert detail["request_id"] == response.headers["x-request-id"]
    return str(detail["error"])


async def stream(
    client: httpx.AsyncClient, customer: Customer, job_id: str, last_event_id: str | None = None
) -> list[tuple[str, int, dict[str, Any]]]:
    """All events of a job's stream as (name, id, data)."""
    headers = customer.headers | ({"Last-Event-ID": last_event_id} if last_event_id is not None else {})
    response = await client.get(f"/v1/jobs/{job_id}/events", headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in response.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return events
