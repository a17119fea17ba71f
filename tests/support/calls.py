"""What tests of the API do again and again."""

import json
from typing import Any

import httpx

from tests.support.world import Customer, tone

JOBS = "/v1/recruitscreen/jobs"


async def submit(client: httpx.AsyncClient, customer: Customer, seconds: float = 2.0, **more: Any) -> httpx.Response:
    """POST a recording."""
    files = {"file": ("call.wav", tone(seconds), "audio/wav")}
    headers = customer.headers | more.pop("headers", {})
    return await client.post(JOBS, data={"role_title": "Backend Engineer"} | more, files=files, headers=headers)


def error(response: httpx.Response) -> str:
    """The code of an error answer, whose common fields are there."""
    detail = response.json()["detail"]
    assert {"error", "code", "message", "retryable", "request_id", "docs_url"} <= detail.keys()
    assert detail["request_id"] == response.headers["x-request-id"]
    return str(detail["error"])


async def stream(
    client: httpx.AsyncClient, customer: Customer, job_id: str, last_event_id: str | None = None
) -> list[tuple[str, int, dict[str, Any]]]:
    """All (name, id, data) of a job's stream."""
    headers = customer.headers | ({"Last-Event-ID": last_event_id} if last_event_id is not None else {})
    response = await client.get(f"/v1/jobs/{job_id}/events", headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return found
