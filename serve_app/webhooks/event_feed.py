"""Follow an account's events as they are committed: for development, where no endpoint can be reached."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.storage.database import Database
from serve_app.storage.redis import Bus
from serve_app.storage.text import storable
from serve_app.webhooks.models import Event
from serve_app.webhooks.outbox import account_topic

OVERLAP = timedelta(seconds=30)
"""How far back each read looks. Events carry the time at which their transaction began; transactions are shorter."""
POLL_S = 15.0
POLL_WITHOUT_BUS_S = 1.0


async def follow(database: Database, bus: Bus, account_id: str, last: str | None) -> AsyncIterator[Event]:
    """Yield an account's events: those that come, or those after event `last` and then those that come.

    After a reconnection the last few may come again. A `last` that is unknown counts as none.
    """
    async with bus.waiting_for(account_topic(account_id)) as woken:
        async with database.transaction() as session:
            since, seen = await _start(session, account_id, last)
        while True:
            woken.clear()
            async with database.transaction() as session:
                events = await _since(session, account_id, since)
            for event in events:
                if event.id not in seen:
                    yield event
            since = max([since, *(event.created_at for event in events)])
            seen = {event.id for event in events}
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), POLL_S if bus.connected else POLL_WITHOUT_BUS_S)


async def _start(session: AsyncSession, account_id: str, last: str | None) -> tuple[datetime, set[str]]:
    """The time to read from, and the events that the reader knows."""
    if last is not None and storable(last):
        known = select(Event).where(col(Event.id) == last, col(Event.account_id) == account_id)
        if (event := (await session.exec(known)).first()) is not None:
            return event.created_at, {event.id}
    now = (await session.exec(select(func.now()))).one()
    return now, {event.id for event in await _since(session, account_id, now)}


async def _since(session: AsyncSession, account_id: str, since: datetime) -> list[Event]:
    """Events since a little before `since`, in order."""
    mine = (col(Event.account_id) == account_id, col(Event.created_at) >= since - OVERLAP)
    return list((await session.exec(select(Event).where(*mine).order_by(col(Event.seq)))).all())
