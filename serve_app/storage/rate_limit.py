"""Rate limits, counted in Redis. Fails open without Redis."""

import asyncio
import logging
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string
from redis.exceptions import RedisError

from serve_app.errors import RateLimited

log = logging.getLogger(__name__)
ANSWER_S = 1.0
"""Longest wait for Redis."""


@dataclass(frozen=True, slots=True)
class Window:
    """A caller's use of the current window."""

    name: str
    limit: int
    window_s: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """`RateLimit` fields as in draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={self.window_s}',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.reset_s}',
        }


class RateLimiter:
    """Fixed windows, shared by every process that uses the same Redis."""

    def __init__(self, redis_url: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage_from_string(f"async+{redis_url}", implementation="redispy"))

    async def hit(self, name: str, limit: str, caller: str) -> Window | None:
        """Count one request of `caller` against a limit such as `600/minute`. None without Redis.

        Raises `RateLimited` with the seconds to wait.
        """
        item = parse(limit)
        try:
            async with asyncio.timeout(ANSWER_S):
                allowed = await self._limiter.hit(item, name, caller)
                window = await self._window(name, item, caller)
        except (RedisError, StorageError, OSError) as error:
            log.warning("rate limits are off: Redis cannot be reached: %s", error)
            return None
        if not allowed:
            message = f"Too many requests: at most {item}. Try again in {window.reset_s} s."
            raise RateLimited(message, window.reset_s, window.headers())
        return window

    async def _window(self, name: str, item: RateLimitItem, caller: str) -> Window:
        stats = await self._limiter.get_window_stats(item, name, caller)
        reset_s = max(1, math.ceil(stats.reset_time - time.time()))
        return Window(name, item.amount, item.get_expiry(), stats.remaining, reset_s)
