"""The bus: wakes readers in other processes. It carries no data and may lose everything without loss.

A reader waits on a topic, and asks the database when it wakes or when it has waited long enough. While Redis is away
`connected` is False, readers look more often, and nothing else changes.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

PREFIX = "recruitscreen:"
RECONNECT_S = 1.0
log = logging.getLogger(__name__)


class Bus:
    """Publish topics; wait for them. One connection listens for the whole process."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=2.0, health_check_interval=15)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self.connected = False

    async def publish(self, topics: Iterable[str]) -> None:
        """Wake everybody who waits for one of `topics`. Never raises: readers look for themselves anyway."""
        with suppress(RedisError, OSError):
            for topic in dict.fromkeys(topics):
                await self._redis.publish(PREFIX + topic, b"")

    @asynccontextmanager
    async def waiting_for(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever `topic` is published; clear it before looking at the database."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            yield event
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]

    async def close(self) -> None:
        """Stop listening and close the connections."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
        await self._redis.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as error:
                log.warning("the bus is away, readers poll until it is back: %s", error)
            self.connected = False
            await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.psubscribe(PREFIX + "*")
            self.connected = True
            self._wake_all()  # whatever was published while nobody listened
            async for message in pubsub.listen():
                if message["type"] == "pmessage":
                    self._wake(message["channel"].decode()[len(PREFIX) :])

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()

    def _wake_all(self) -> None:
        for topic in list(self._waiting):
            self._wake(topic)
