"""A delivering process that kills itself (SIGKILL) at a chosen point of its first attempt."""

import asyncio
import os
import signal
from typing import Literal

from pydantic import SecretStr

from serve_app.settings import Settings
from serve_app.storage.database import Database
from serve_app.storage.redis import Bus
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.queue import Outcome, Parcel
from serve_app.webhooks.sending import Sender

Point = Literal["before sending", "after sending"]


def deliver_and_die(database_url: str, redis_url: str, point: Point, lease_s: float) -> None:
    """Claim what is due, and die before or after the first attempt at it was sent."""
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=SecretStr("test secret"),
        public_url="http://test",
        webhook_allow_loopback=True,
    )
    sender = Sender.of(settings)

    async def send(parcel: Parcel) -> Outcome:
        if point == "after sending":
            await sender(parcel)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    async def work() -> None:
        deliverer = Deliverer(Database(database_url), Bus(redis_url), send, lease_s)
        while True:
            await deliverer.deliver_due()
            await asyncio.sleep(0.05)  # earlier processes' leases have not ended

    asyncio.run(work())
