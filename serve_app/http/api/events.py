"""The stream of an account's events: what its webhooks get, for those who cannot be reached."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from serve_app.errors import InvalidField, RateLimited, Unauthorized, Unavailable, WrongScope
from serve_app.http.api.jobs import RECONNECT_MS
from serve_app.http.deps import AccountCaller, Services
from serve_app.http.openapi import refusals
from serve_app.webhooks import event_feed
from serve_app.webhooks.messages import message

router = APIRouter(prefix="/v1/events", tags=["webhooks"], responses=refusals(Unauthorized, WrongScope, RateLimited))


@router.get("", response_class=EventSourceResponse, responses=refusals(InvalidField))
async def stream_events(
    caller: AccountCaller,
    services: Services,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream the account's events as they happen, as `text/event-stream`. The data are those of its webhooks.

    For development: `recruitscreen listen` forwards them to a local server. With `Last-Event-ID` the stream resumes
    there; the last few events may come again, with the same ids. Events are kept for 30 days.
    """
    retry: int | None = RECONNECT_MS
    url = services.settings.public_url
    with suppress(Unavailable):  # the stream ends, and the client resumes it after its last event
        async for event in event_feed.follow(services.database, services.bus, caller.account_id, last_event_id):
            yield ServerSentEvent(event=event.type, id=event.id, data=message(event, url), retry=retry)
            retry = None
