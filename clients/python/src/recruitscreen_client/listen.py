"""`recruitscreen listen`: forward webhook events to a local server, so that a receiver can be written without one."""

import time
from dataclasses import dataclass

import httpx
from rich.console import Console

from recruitscreen_client.client import RecruitScreen
from recruitscreen_client.events import Frame
from recruitscreen_client.plain import plain
from recruitscreen_client.webhooks import new_secret, sign_webhook

TIMEOUT_S = 15.0
"""As long as the service waits for a receiver."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to forward to, the secret that signs (None for a new one), and the types to forward (empty for all)."""

    url: str
    secret: str | None = None
    types: frozenset[str] = frozenset()


def forward(client: RecruitScreen, target: Target, console: Console) -> None:
    """Forward events until interrupted. Prints the secret and one line per event. Raises `ValueError` for a bad target.

    Raises as `RecruitScreen.webhook_events`, too. An event that the local server does not take is not sent again.
    """
    secret = target.secret or new_secret()
    sign_webhook(b"", "", 0, secret)
    if httpx.URL(target.url).scheme not in {"http", "https"}:
        raise ValueError(f"'{target.url}' is not a URL. Give one such as http://localhost:3000/hooks.")
    console.print(plain(f"Forwarding to {target.url}. This session's secret: {secret}"))
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as local:
        for frame in client.webhook_events():
            if not target.types or frame.name in target.types:
                console.print(plain(f"{frame.name}  {frame.id}  {_send(local, target.url, frame, secret)}"))


def _send(local: httpx.Client, url: str, frame: Frame, secret: str) -> str:
    """Send one event. Returns what came of it, for people."""
    body, now = frame.data.encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": frame.id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign_webhook(body, frame.id, now, secret),
    }
    started = time.monotonic()
    try:
        response = local.post(url, content=body, headers=headers)
    except httpx.HTTPError as error:
        return f"no answer: {error or type(error).__name__}"
    return f"{response.status_code} in {time.monotonic() - started:.2f} s"
