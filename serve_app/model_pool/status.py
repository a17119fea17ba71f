"""The public page's look at the pool: at most one read a second, however many ask."""

import asyncio
import time

from serve_app.model_pool import registry
from serve_app.model_pool.registry import PoolStatus, RosterEntry
from serve_app.storage.database import Database

FRESH_S = 0.5


class PoolView:
    """Remembers the status for half a second. The page needs no key, so anybody may ask as often as they like."""

    def __init__(self, database: Database, roster: list[RosterEntry]) -> None:
        self._database = database
        self._roster = roster
        self._reading = asyncio.Lock()
        self._seen: PoolStatus | None = None
        self._read_at = 0.0

    async def status(self) -> PoolStatus:
        """The pool, as it was at most half a second ago."""
        async with self._reading:
            if self._seen is None or time.monotonic() - self._read_at > FRESH_S:
                async with self._database.transaction() as session:
                    self._seen = await registry.status(session, self._roster)
                self._read_at = time.monotonic()
            return self._seen
