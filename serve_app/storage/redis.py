"""The bus: wakes readers in other processes. Messages carry no data, so a lost message loses none.

A reader waits for a topic, and reads the database when it is woken or after a timeout. Without Redis `connected` is
False and readers poll more often; nothing else changes.
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
PUBLISH_S = 2.0
"""Longest wait for Redis to take a message. A stopped Redis must not hold up requests."""
ANSWER_S = 1.0
log = logging.getLogger(__name__)


class Bus:
    """Publishes topics and waits for them, over one subscription per process."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=2.0, health_check_interval=15)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self.connected = False

    async def publish(self, topics: Iterable[str]) -> None:
        """Wake all readers that wait for one of `topics`. Does not raise without Redis: readers also poll."""
        with suppress(RedisError, OSError):  # TimeoutError is an OSError
            async with asyncio.timeout(PUBLISH_S):
                for topic in dict.fromkeys(topics):
                    await self._redis.publish(PREFIX + topic, b"")

    async def answers(self) -> bool:
        """Whether Redis answers within a second."""
        with suppress(RedisError, OSError):
            async with asyncio.timeout(ANSWER_S):
                await self._redis.ping()
                return True
        return False

    @asynccontextmanager
    async def waiting_for(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when `topic` is published. Clear it before reading the database."""
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
                log.warning("Redis cannot be reached; readers poll until it is back: %s", error)
            self.connected = False
            await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.psubscribe(PREFIX + "*")
            self.connected = True
            self._wake_all()  # messages may have been published while the subscription was down
            async for message in pubsub.listen():
                if message["type"] == "pmessage":
                    self._wake(message["channel"].decode()[len(PREFIX) :])

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()

    def _wake_all(self) -> None:
        for topic in list(self._waiting):
            self._wake(topic)
