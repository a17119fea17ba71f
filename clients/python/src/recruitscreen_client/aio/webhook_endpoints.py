"""The account's webhook endpoints: `client.webhooks`."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal, Unpack

from recruitscreen_client.aio.transport import Transport
from recruitscreen_client.fields import given, segment
from recruitscreen_client.options import WebhookChanges, WebhookEvent

PATH = "/v1/webhooks"


class WebhookEndpoints:
    """Methods about the endpoints that get the account's events. They need a key of scope `all`.

    What changes something is not repeated after a lost answer, where a repeat would change it twice.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> list[dict[str, Any]]:
        """Get all endpoints, newest first, without their secrets."""
        return await self._transport.items(PATH)

    async def create(
        self,
        url: str,
        *,
        events: Sequence[WebhookEvent] | None = None,
        products: Sequence[str] | None = None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """Create an endpoint. Only this answer has its `secret`, with which `verify_webhook` verifies messages.

        `events` and `products` select what is sent; everything by default. An account may have ten endpoints.
        """
        body = given({"url": url, "events": events, "products": products, "description": description})
        return await self._transport.json("POST", PATH, json=body, repeatable=False)

    async def get(self, webhook_id: str) -> dict[str, Any]:
        """Get an endpoint: its filters, its health and its public keys."""
        return await self._transport.json("GET", _path(webhook_id))

    async def update(self, webhook_id: str, **changes: Unpack[WebhookChanges]) -> dict[str, Any]:
        """Change an endpoint, or switch it off or on. What is left out stays as it is."""
        return await self._transport.json("PATCH", _path(webhook_id), json=changes)

    async def delete(self, webhook_id: str) -> None:
        """Delete an endpoint with its secrets and its log."""
        await self._transport.send("DELETE", _path(webhook_id))

    async def rotate(
        self, webhook_id: str, *, overlap_s: int | None = None, force: bool | None = None
    ) -> dict[str, Any]:
        """Make a new `secret`. For `overlap_s` seconds, a day by default, messages carry the signatures of both.

        While an earlier rotation overlaps, this is a conflict unless `force` ends the oldest secret at once.
        """
        body = given({"overlap_s": overlap_s, "force": force})
        return await self._transport.json("POST", f"{_path(webhook_id)}/rotate", json=body, repeatable=False)

    async def test(self, webhook_id: str) -> dict[str, Any]:
        """Send an `endpoint.test` event. Returns its `event_id`; `attempts` then shows what the endpoint answered."""
        return await self._transport.json("POST", f"{_path(webhook_id)}/test", repeatable=False)

    def deliveries(
        self,
        webhook_id: str,
        *,
        status: Literal["pending", "delivered", "missed"] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield at most `limit` events of the last 30 days for this endpoint, newest first, and their state."""
        return self._transport.pages(f"{_path(webhook_id)}/deliveries", limit, {"status": status})

    def attempts(
        self, webhook_id: str, *, event_id: str | None = None, limit: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield at most `limit` attempts of the last 30 days, newest first: time, status, the start of the answer."""
        return self._transport.pages(f"{_path(webhook_id)}/attempts", limit, {"event_id": event_id})

    async def replay(
        self,
        webhook_id: str,
        *,
        event_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        missed: bool | None = None,
    ) -> int:
        """Send events again under their first `webhook-id`: one, those of a span of time, or those that were missed.

        Returns their number. Times need a time zone.
        """
        span = {"since": since and since.isoformat(), "until": until and until.isoformat()}
        body = given({"event_id": event_id, "missed": missed, **span})
        answer = await self._transport.json("POST", f"{_path(webhook_id)}/replay", json=body)
        return int(answer["replayed"])


def _path(webhook_id: str) -> str:
    return f"{PATH}/{segment(webhook_id)}"
