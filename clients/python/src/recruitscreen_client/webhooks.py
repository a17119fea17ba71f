"""Verify and make signatures of webhooks, as Standard Webhooks 1.0 defines them (`v1`, HMAC-SHA256)."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from recruitscreen_client.errors import WebhookInvalid

PREFIX = "whsec_"
TOLERANCE_S = 300.0


def verify_webhook(
    body: bytes | str, headers: Mapping[str, str], secret: str, *, tolerance_s: float = TOLERANCE_S
) -> dict[str, Any]:
    """Verify a webhook and return its message: `type`, `timestamp`, `data`. Raises `WebhookInvalid`.

    `body` is the request's body as it was received, not parsed and written again. `secret` is `whsec_…` from the
    creation of the endpoint, or `webhook_secret` from the submit. A message whose time stamp is more than `tolerance_s`
    seconds off is refused: someone who overheard it may have sent it again. The service itself may send an event more
    than once, with the same `webhook-id`; remember the ids that you have handled.
    """
    raw = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, timestamp = given["webhook-id"], int(given["webhook-timestamp"])
        signatures = given["webhook-signature"].split()
    except (KeyError, ValueError):
        raise WebhookInvalid("A header webhook-id, webhook-timestamp or webhook-signature is missing.") from None
    if abs(time.time() - timestamp) > tolerance_s:
        raise WebhookInvalid(f"The message's time stamp is more than {tolerance_s:g} s off.")
    expected = sign_webhook(raw, event_id, timestamp, secret)
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures):
        raise WebhookInvalid("No signature of the message was made with this secret.")
    return _parsed(raw)


def sign_webhook(body: bytes, event_id: str, timestamp: int, secret: str) -> str:
    """The `v1` signature of a message, `v1,…`. `timestamp` in Unix seconds. Raises `ValueError` for a broken secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # not ASCII, or not base64
        raise ValueError("The secret is not whsec_ and base64. Copy it again.") from None
    digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def new_secret() -> str:
    """A new secret, for a local session."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise WebhookInvalid("The body is not a JSON object.")
    return message
