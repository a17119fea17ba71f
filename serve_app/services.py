"""The objects that the edge and the executor receive, and the one function that builds them.

Tests call it too, with fakes for the dispatcher and the models.
"""

from dataclasses import dataclass

from serve_app.jobs import queries
from serve_app.jobs.dispatch import Dispatcher
from serve_app.jobs.event_feed import EventFeeds
from serve_app.jobs.submit import Submitter
from serve_app.model_pool.status import PoolView, RosterEntry
from serve_app.settings import Settings
from serve_app.storage.blobs import Blobs
from serve_app.storage.database import Database
from serve_app.storage.rate_limit import RateLimiter
from serve_app.storage.redis import Bus
from serve_app.verticals.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request or a job may need."""

    settings: Settings
    database: Database
    bus: Bus
    feeds: EventFeeds
    blobs: Blobs
    catalog: Catalog
    dispatcher: Dispatcher
    submitter: Submitter
    limiter: RateLimiter
    roster: list[RosterEntry]
    pool: PoolView

    async def close(self) -> None:
        """Close all connections."""
        await self.bus.close()
        await self.database.close()


def build_services(settings: Settings, dispatcher: Dispatcher, roster: list[RosterEntry]) -> Services:
    """Build all services. No connection is opened before its first use."""
    bus = Bus(settings.redis_url)
    database = Database(settings.database_url, publish=bus.publish, timeout_s=settings.database_timeout_s)
    blobs = Blobs(settings.blob_url)
    languages = next((entry.languages for entry in roster if entry.role == "asr"), ())
    return Services(
        settings=settings,
        database=database,
        bus=bus,
        feeds=EventFeeds(database, bus),
        blobs=blobs,
        catalog=Catalog.read(settings.verticals_dir),
        dispatcher=dispatcher,
        submitter=Submitter(database, blobs, dispatcher, settings, languages),
        limiter=RateLimiter(settings.redis_url),
        roster=roster,
        pool=PoolView(database, roster, queries.queue_depths, bus),
    )
