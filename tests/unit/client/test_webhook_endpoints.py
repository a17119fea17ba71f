"""`client.webhooks` against a scripted server."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from recruitscreen_client import ConnectionFailed

from tests.unit.client.test_client import Server, ok

ENDPOINT = {"webhook_id": "ep_1", "url": "https://example.com/hook", "secret": "whsec_x"}


def test_each_method_sends_the_request_that_the_api_describes() -> None:
    """Create, list, get, update, rotate, test, replay and delete; fields that are not given are not sent."""
    answers = [
        ok(ENDPOINT, 201), ok([ENDPOINT]), ok(ENDPOINT), ok(ENDPOINT), ok(ENDPOINT, 201),
        ok({"event_id": "evt_1"}, 202), ok({"replayed": 3}, 202), httpx.Response(204),
    ]  # fmt: skip
    server = Server(*answers)
    webhooks = server.client.webhooks
    assert webhooks.create("https://example.com/hook", events=["job.completed"])["secret"] == "whsec_x"
    assert webhooks.list() == [ENDPOINT]
    webhooks.get("ep_1")
    webhooks.update("ep_1", enabled=False, events=None)
    webhooks.rotate("ep_1", force=True)
    assert webhooks.test("ep_1") == {"event_id": "evt_1"}
    assert webhooks.replay("ep_1", since=datetime(2026, 11, 1, tzinfo=UTC), missed=True) == 3
    webhooks.delete("ep/1")
    assert server.asked == [
        "POST /v1/webhooks", "GET /v1/webhooks", "GET /v1/webhooks/ep_1", "PATCH /v1/webhooks/ep_1",
        "POST /v1/webhooks/ep_1/rotate", "POST /v1/webhooks/ep_1/test", "POST /v1/webhooks/ep_1/replay",
        "DELETE /v1/webhooks/ep%2F1",
    ]  # fmt: skip
    sent = [json.loads(body) if body else None for body in server.bodies]
    assert sent[0] == {"url": "https://example.com/hook", "events": ["job.completed"]}
    assert sent[3:7] == [
        {"enabled": False, "events": None}, {"force": True}, None,
        {"since": "2026-11-01T00:00:00+00:00", "missed": True},
    ]  # fmt: skip


def test_the_log_is_read_page_by_page() -> None:
    """Deliveries and attempts follow the cursor, with their filters."""
    page = {"data": [{"event_id": "a"}], "has_more": True, "next_cursor": "c"}
    last = {"data": [{"event_id": "b"}], "has_more": False, "next_cursor": None}
    server = Server(ok(page), ok(last), ok(last))
    assert [row["event_id"] for row in server.client.webhooks.deliveries("ep_1", status="missed")] == ["a", "b"]
    assert len(list(server.client.webhooks.attempts("ep_1", event_id="evt_1", limit=1))) == 1
    assert server.asked == [
        "GET /v1/webhooks/ep_1/deliveries?status=missed&limit=100",
        "GET /v1/webhooks/ep_1/deliveries?status=missed&cursor=c&limit=100",
        "GET /v1/webhooks/ep_1/attempts?event_id=evt_1&limit=1",
    ]


def test_what_would_happen_twice_is_not_repeated_after_a_lost_answer() -> None:
    """A second endpoint or a second secret would be made unseen; the error says that the answer was lost."""
    for call in ("create", "rotate", "test"):
        server = Server(httpx.ReadError("reset"))
        with pytest.raises(ConnectionFailed):
            getattr(server.client.webhooks, call)("ep_1")
        assert len(server.requests) == 1
