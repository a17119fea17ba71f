"""When a failed delivery is tried again: the schedule of Standard Webhooks 1.0, about 75 hours in all."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MINUTE, HOUR = 60.0, 3600.0
DELAYS_S = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds between the first attempt and the second, and so on."""
JITTER = 0.1
"""A delay grows by a random part of up to this share, so that what failed together is not retried together."""
MAX_RETRY_AFTER_S = 24 * HOUR
DISABLE_AFTER_S = 120 * HOUR
"""An endpoint that has failed for so long is disabled."""


def delay_s(failures: int, retry_after_s: float = 0.0) -> float | None:
    """Seconds to wait after this many failed attempts. None when no attempt is left.

    `retry_after_s` is what the receiver asked for: it lengthens a delay, up to a day, and never shortens one.
    """
    if failures > len(DELAYS_S):
        return None
    scheduled = DELAYS_S[failures - 1] * (1 + JITTER * random.random())  # noqa: S311 - jitter, not cryptography
    return max(scheduled, min(retry_after_s, MAX_RETRY_AFTER_S))


def retry_after_s(header: str | None) -> float:
    """Seconds in a `Retry-After` header, which is a number or a date. 0 when there is none or it cannot be read."""
    value = (header or "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a time zone
        return 0.0
