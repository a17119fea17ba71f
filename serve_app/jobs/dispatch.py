"""The hint that a job is waiting. Losing one costs only time: the sweep looks at the rows."""

from typing import Protocol


class Dispatcher(Protocol):
    """Tells executors that a job is due."""

    async def hint(self, job_id: str) -> None:
        """Ask an executor to run the job soon. Never raises, may be lost, may come twice."""
        ...

    async def expect(self) -> None:
        """Say that a recording is on its way, so that models load while it is uploaded. Never raises, may be lost."""
        ...


class NoDispatcher:
    """No hints at all: jobs wait for the sweep, or for a test to run them."""

    async def hint(self, job_id: str) -> None:
        """Do nothing."""

    async def expect(self) -> None:
        """Do nothing."""
