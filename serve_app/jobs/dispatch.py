"""Notify executors of jobs and uploads. A lost notification costs only time: the sweeper reads the rows."""

from typing import Protocol


class Dispatcher(Protocol):
    """Notifies executors."""

    async def notify(self, job_id: str) -> None:
        """Ask an executor to run one job soon. `job_id` is for logs: the executor takes the job that is next.

        Never raises. A notification may be lost or arrive twice.
        """
        ...

    async def prefetch(self) -> None:
        """Ask for the models to be loaded while a recording is uploaded. Never raises, may be lost."""
        ...


class NoDispatcher:
    """Sends nothing. Jobs wait for the sweeper, or for a test to run them."""

    async def notify(self, job_id: str) -> None:
        """Do nothing."""

    async def prefetch(self) -> None:
        """Do nothing."""
