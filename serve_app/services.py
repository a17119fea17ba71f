"""The bundle of objects that the edge and the executor receive. Built in one place: `wiring.py`."""

from dataclasses import dataclass

from serve_app.delivery.sse import Feeds
from serve_app.jobs.queue import JobQueue
from serve_app.models.registry import RosterEntry
from serve_app.models.view import PoolView
from serve_app.settings import Settings
from serve_app.storage.blobs import Blobs
from serve_app.storage.database import Database
from serve_app.storage.limits import RateLimiter
from serve_app.storage.redis import Bus
from serve_app.verticals.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request or a job may need."""

    settings: Settings
    database: Database
    bus: Bus
    feeds: Feeds
    blobs: Blobs
    catalog: Catalog
    queue: JobQueue
    limiter: RateLimiter
    roster: list[RosterEntry]
    pool: PoolView

    async def close(self) -> None:
        """Give connections back."""
        await self.bus.close()
        await self.database.close()
