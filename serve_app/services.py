"""The objects that the edge and the executor receive, and the one function that builds them.

Tests build them too, with fakes for what they replace.
"""

from dataclasses import dataclass

from serve_app.jobs import queries
from serve_app.jobs.dispatch import Dispatcher
from serve_app.jobs.event_feed import EventFeeds
from serve_app.model_pool.status import PoolView, RosterEntry
from serve_app.settings import Settings
from serve_app.storage.blobs import Blobs
from serve_app.storage.database import Database
from serve_app.storage.rate_limit import RateLimiter
from serve_app.storage.redis import Bus
from serve_app.verticals.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request or a job may need."""

    settings: Settings
    database: Database
    bus: Bus
    feeds: EventFeeds
    blobs: Blobs
    catalog: Catalog
    queue: Dispatcher
    limiter: RateLimiter
    roster: list[RosterEntry]
    pool: PoolView

    async def close(self) -> None:
        """Give connections back."""
        await self.bus.close()
        await self.database.close()


def build_services(settings: Settings, queue: Dispatcher, roster: list[RosterEntry]) -> Services:
    """Connect everything. Nothing is opened before it is used."""
    bus = Bus(settings.redis_url)
    database = Database(settings.database_url, publish=bus.publish)
    return Services(
        settings=settings,
        database=database,
        bus=bus,
        feeds=EventFeeds(database, bus),
        blobs=Blobs(settings.blob_url),
        catalog=Catalog.read(settings.verticals_dir),
        queue=queue,
        limiter=RateLimiter(settings.redis_url),
        roster=roster,
        pool=PoolView(database, roster, queries.queue_depths),
    )
