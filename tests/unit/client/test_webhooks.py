"""`verify_webhook` and `recruitscreen listen`."""

import json
import time
from collections.abc import Mapping

import httpx
import pytest
from recruitscreen_client import WebhookInvalid, verify_webhook
from recruitscreen_client.webhooks import new_secret, sign_webhook
from standardwebhooks import Webhook

from serve_app.webhooks.signing import derive_keys
from tests.support.receiver import Answer, receiving
from tests.unit.client.test_cli import interrupted, run

KEYS = derive_keys("a secret", "whs_1")
BODY = '{"type":"job.completed","data":{"job_id":"job_ü"}}'.encode()


def signed(body: bytes = BODY, at: float | None = None, event_id: str = "evt_1") -> dict[str, str]:
    """Headers as the service makes them."""
    timestamp = int(at or time.time())
    signatures = KEYS.sign(event_id, timestamp, body)
    return {"Webhook-Id": event_id, "Webhook-Timestamp": str(timestamp), "Webhook-Signature": signatures}


def test_a_message_of_the_service_verifies() -> None:
    """Header names in any case, both signatures in one header, bytes or text."""
    assert verify_webhook(BODY, signed(), KEYS.secret)["type"] == "job.completed"
    assert verify_webhook(BODY.decode(), httpx.Headers(signed()), KEYS.secret)["data"] == {"job_id": "job_ü"}


def test_any_of_several_signatures_may_match() -> None:
    """During a rotation the header has the signatures of both secrets."""
    other = derive_keys("a secret", "whs_2").sign("evt_1", int(time.time()), BODY)
    headers = signed()
    headers["Webhook-Signature"] = f"{other} {headers['Webhook-Signature']}"
    verify_webhook(BODY, headers, KEYS.secret)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


@pytest.mark.parametrize(
    ("body", "headers", "secret"),
    [
        (BODY + b" ", signed(), KEYS.secret),
        (BODY, signed(), derive_keys("a secret", "whs_2").secret),
        (BODY, signed() | {"Webhook-Id": "evt_2"}, KEYS.secret),
        (BODY, signed() | {"Webhook-Signature": "v1,é v2,abc v1a"}, KEYS.secret),
        (BODY, signed(at=time.time() - 301), KEYS.secret),
        (BODY, signed(at=time.time() + 400), KEYS.secret),
        (BODY, signed() | {"Webhook-Timestamp": "now"}, KEYS.secret),
        (BODY, without("Webhook-Id"), KEYS.secret),
        (BODY, without("Webhook-Signature"), KEYS.secret),
        (b"[]", signed(b"[]"), KEYS.secret),
        (b"\xff", signed(b"\xff"), KEYS.secret),
    ],
)
def test_anything_else_does_not(body: bytes, headers: Mapping[str, str], secret: str) -> None:
    """A changed body, id or secret, an old or early time stamp, missing headers and other bodies are refused."""
    with pytest.raises(WebhookInvalid):
        verify_webhook(body, headers, secret)


def test_a_broken_secret_is_a_mistake_of_the_receiver() -> None:
    """It is reported as such, not as a forged message."""
    with pytest.raises(ValueError, match="Copy it again"):
        verify_webhook(BODY, signed(), "whsec_…")


def test_signatures_agree_with_the_standard_library() -> None:
    """What the client signs, `standardwebhooks` verifies."""
    secret, now = new_secret(), int(time.time())
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign_webhook(BODY, "evt_1", now, secret),
    }
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


def frames(*ids: str) -> httpx.Response:
    """A stream of events with these ids; `failed` in an id makes it a failure."""
    names = ["job.failed" if "failed" in one else "job.completed" for one in ids]
    blocks = [f"event: {name}\nid: {one}\ndata: {BODY.decode()}\n\n" for name, one in zip(names, ids, strict=True)]
    return httpx.Response(200, content="".join([*blocks, ": ping\n\n"]).encode())


def test_listen_forwards_each_event_once_and_signed() -> None:
    """Events that come again after a reconnection are forwarded once; other types and refusals do not end it."""
    with receiving() as local:
        local.answer = lambda request: Answer(500 if request.id == "evt_2" else 200)
        script = [frames("evt_1", "evt_failed", "evt_2"), frames("evt_2", "evt_3"), interrupted]
        args = ["listen", "--forward", local.url, "--events", "job.completed", "--secret", KEYS.secret]
        result, server = run(*args, script=script)
        assert result.exit_code == 130
        assert [request.id for request in local.received] == ["evt_1", "evt_2", "evt_3"]
        for request in local.received:
            verify_webhook(request.body, request.headers, KEYS.secret)
    assert KEYS.secret in result.stderr.replace("\n", "")
    assert "evt_2  500 in" in result.stderr
    assert [request.headers.get("last-event-id") for request in server.requests] == [None, "evt_2", "evt_3"]


def test_listen_says_when_nobody_answers_locally() -> None:
    """It goes on with the next event."""
    with receiving() as local:
        url = local.url
    result, _ = run("listen", "--forward", url, script=[frames("evt_1"), interrupted])
    assert "evt_1  no answer" in result.stderr


@pytest.mark.parametrize("args", [["--forward", "localhost"], ["--forward", "http://x", "--secret", "whsec_…"], []])
def test_listen_refuses_a_wrong_target_before_any_request(args: list[str]) -> None:
    """The command exits with code 2."""
    result, server = run("listen", *args)
    assert (result.exit_code, server.requests) == (2, [])
