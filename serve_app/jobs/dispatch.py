"""Notifications to executors. One may be lost: the sweeper then finds the job's row, a few seconds later."""

from typing import Protocol


class Dispatcher(Protocol):
    """Notifies executors."""

    async def notify(self) -> None:
        """Ask an executor to run the next job. Never raises. A notification may be lost or arrive twice."""
        ...

    async def prefetch(self) -> None:
        """Ask for the models to be loaded while a recording is uploaded. Never raises, may be lost."""
        ...


class NoDispatcher:
    """Sends nothing. Jobs wait for the sweeper, or for a test to run them."""

    async def notify(self) -> None:
        """Do nothing."""

    async def prefetch(self) -> None:
        """Do nothing."""
