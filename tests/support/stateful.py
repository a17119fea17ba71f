"""Hypothesis state machines over a real database. Rules are synchronous and share one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.storage.database import Database

T = TypeVar("T")
BOUNDED = settings(
    max_examples=8,
    stateful_step_count=15,
    phases=[Phase.explicit, Phase.generate],  # no shrinking: it takes minutes, and 15 steps can be read as they are
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class OnDatabase(RuleBasedStateMachine):
    """A state machine whose rules open transactions."""

    database: Database
    loop: asyncio.Runner

    def wait(self, work: Awaitable[T]) -> T:
        """Run `work` on the event loop and return its result."""

        async def run() -> T:
            return await work

        return self.loop.run(run())

    def transact(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `work` in a transaction of its own, which an error rolls back."""

        async def run() -> T:
            async with self.database.transaction() as session:
                return await work(session)

        return self.wait(run())


def explore(machine: type[OnDatabase], database_url: str) -> None:
    """Run the machine through short random sequences of rules, the same ones in every run."""
    with asyncio.Runner() as loop:
        database = Database(database_url)
        attributes: dict[str, Any] = {"database": database, "loop": loop}
        try:
            run_state_machine_as_test(type(machine.__name__, (machine,), attributes), settings=BOUNDED)
        finally:
            loop.run(database.close())
