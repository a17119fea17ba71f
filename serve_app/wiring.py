"""The one function that builds the program. Tests call it too, with fakes for what they replace."""

from serve_app.delivery.sse import Feeds
from serve_app.jobs.queue import JobQueue
from serve_app.models.registry import RosterEntry
from serve_app.models.view import PoolView
from serve_app.services import Services
from serve_app.settings import Settings
from serve_app.storage.blobs import Blobs
from serve_app.storage.database import Database
from serve_app.storage.limits import RateLimiter
from serve_app.storage.redis import Bus
from serve_app.verticals.catalog import Catalog


def build_services(settings: Settings, queue: JobQueue, roster: list[RosterEntry]) -> Services:
    """Connect everything. Nothing is opened before it is used."""
    bus = Bus(settings.redis_url)
    database = Database(settings.database_url, publish=bus.publish)
    return Services(
        settings=settings,
        database=database,
        bus=bus,
        feeds=Feeds(database, bus),
        blobs=Blobs(settings.blob_url),
        catalog=Catalog.read(settings.config_dir / "verticals"),
        queue=queue,
        limiter=RateLimiter(settings.redis_url),
        roster=roster,
        pool=PoolView(database, roster),
    )
