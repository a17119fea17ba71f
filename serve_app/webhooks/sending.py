"""One attempt: sign a message, send it, and say what came of it."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx

from serve_app.settings import Settings
from serve_app.storage.outbound import GuardedTransport, OutboundPolicy, Refused, guarded_client
from serve_app.webhooks.messages import encode, message
from serve_app.webhooks.queue import Outcome, Parcel
from serve_app.webhooks.schedule import retry_after_s
from serve_app.webhooks.signing import derive_keys

TIMEOUT_S = 15.0
"""Longest attempt, from resolving the name to the end of the answer."""
LEASE_S = 30.0
"""Time for an attempt and for settling it."""
ANSWER_BYTES = 2048
"""How much of an answer is read and kept."""
KEY_CHANGED = (
    "The deployment's SECRET_KEY has changed since this endpoint's secret was made. Rotate the secret with 'force'."
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Signs and sends. `client` must be one of `storage.outbound`."""

    client: httpx.AsyncClient
    secret_key: str
    public_url: str
    timeout_s: float = TIMEOUT_S

    @classmethod
    def of(cls, settings: Settings) -> "Sender":
        """The sender of a deployment."""
        client = guarded_client(GuardedTransport(OutboundPolicy(settings.webhook_allow_loopback)))
        return cls(client, settings.secret_key.get_secret_value(), settings.public_url)

    async def __call__(self, parcel: Parcel) -> Outcome:
        """Send an event once. Raises nothing for what the endpoint or the network does."""
        started = time.monotonic()
        outcome = await self._send(parcel)
        return replace(outcome, duration_ms=round(1000 * (time.monotonic() - started)))

    async def _send(self, parcel: Parcel) -> Outcome:
        body = encode(message(parcel.event, self.public_url))
        signature_headers = self.sign(parcel, int(time.time()), body)
        if signature_headers is None:
            return Outcome(error=KEY_CHANGED)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._post(parcel.endpoint.url, signature_headers, body)
        except Refused as refusal:
            return Outcome(error=_short(str(refusal)))
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(error=f"No answer within {self.timeout_s:g} s.")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(error=_short(f"No connection, or it broke: {error or type(error).__name__}"))

    def sign(self, parcel: Parcel, timestamp: int, body: bytes) -> dict[str, str] | None:
        """The headers of a message, with the signatures of every live generation of keys.

        None when a generation's keys can no longer be derived.
        """
        signatures = []
        for secret in parcel.secrets:
            keys = derive_keys(self.secret_key, secret.id)
            if keys.public_key != secret.public_key:
                return None
            signatures.append(keys.sign(parcel.event.id, timestamp, body))
        return {
            "webhook-id": parcel.event.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }

    async def _post(self, url: str, signature_headers: dict[str, str], body: bytes) -> Outcome:
        headers = signature_headers | {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # the answer is kept as it comes
            "User-Agent": "RecruitScreen-Webhooks/1",
        }
        async with self.client.stream("POST", url, headers=headers, content=body, timeout=self.timeout_s) as response:
            answer = await _beginning(response)
        if response.is_success:
            return Outcome(response.status_code, answer=answer)
        why = "Redirects are not followed." if response.is_redirect else "Only a 2xx status is a success."
        error = f"The endpoint answered {response.status_code}. {why}"
        return Outcome(response.status_code, error, answer, retry_after_s(response.headers.get("retry-after")))


async def _beginning(response: httpx.Response) -> str:
    """The first 2 kB of an answer, as text. What cannot be read is left out: the status is what counts."""
    received = b""
    with suppress(httpx.HTTPError):
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) >= ANSWER_BYTES:
                break
    return received[:ANSWER_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")


def _short(text: str) -> str:
    return text[:300]
