"""Random sequences of claims, moves, lost leases, cancels and retries of one job, against a model."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.actors import Actor
from serve_app.errors import Conflict, IllegalTransition, LeaseLost
from serve_app.jobs import lifecycle, queries, settlement
from serve_app.jobs.lifecycle import MOVES, RUNNING, TERMINAL, Note, transition
from serve_app.jobs.models import EventKind, Job, JobEvent, JobState
from tests.integration.credits.test_ledger import accept
from tests.support.stateful import OnDatabase, explore
from tests.support.world import new_customer

workers = st.sampled_from(["first", "second", "third"])
states = st.sampled_from(list(JobState))


class JobLife(OnDatabase):
    """One job. The model holds its state, its version, and the version that each worker has seen."""

    @initialize()
    def accept_job(self) -> None:
        customer = self.wait(new_customer(self.database, credits_=100))
        self.job_id = self.transact(lambda session: accept(session, customer)).job_id
        self.state, self.version, self.lease = JobState.QUEUED, 1, None
        self.seen: dict[str, int] = {}
        self.events = 1

    @rule(worker=workers)
    def claim(self, worker: str) -> None:
        """A claim succeeds only for a queued job without a live lease."""
        claim = self.transact(lambda session: lifecycle.claim(session, self.job_id, worker, 3600))
        assert (claim is not None) == (self.state is JobState.QUEUED and self.lease != "live")
        if claim is not None:
            self.version += 1
            assert claim.version == self.version
            self.seen[worker], self.lease = claim.version, "live"

    @rule(worker=workers, to=states)
    def move(self, worker: str, to: JobState) -> None:
        """A move succeeds only with the newest version, and only if `MOVES` has it."""
        seen = self.seen.get(worker, 0)
        try:
            version = self.transact(lambda session: transition(session, self.job_id, to, seen=seen))
        except LeaseLost:
            assert seen != self.version
        except IllegalTransition:
            assert to not in MOVES[self.state]
        else:
            assert seen == self.version
            assert to in MOVES[self.state]
            self.seen[worker] = version
            self._moved(to)

    @rule(worker=workers)
    def report(self, worker: str) -> None:
        """Only the worker with the newest version can report progress."""
        seen = self.seen.get(worker, 0)
        try:
            self.transact(lambda session: lifecycle.report(session, self.job_id, seen, Note("working", {"percent": 5})))
        except LeaseLost:
            assert seen != self.version or self.state in TERMINAL
        else:
            assert seen == self.version
            self.events += 1

    @rule()
    def lose_lease(self) -> None:
        """When the lease ends, a queued job can be claimed again and a running one is requeued."""
        past = datetime.now(UTC) - timedelta(seconds=1)

        async def end_lease(session: AsyncSession) -> None:
            held = (col(Job.id) == self.job_id) & col(Job.lease_until).is_not(None)
            await session.exec(update(Job).where(held).values(lease_until=past))

        async def sweep(session: AsyncSession) -> bool:
            expired = [job for job in await lifecycle.expired_leases(session) if job.id == self.job_id]
            for job in expired:
                await lifecycle.requeue(session, job.id, seen=job.version, after_s=0, note=Note("lease expired"))
            return bool(expired)

        self.transact(end_lease)
        swept = self.transact(sweep)
        self.lease = self.lease and "past"
        assert swept == (self.state in RUNNING and self.lease == "past")
        if swept:
            self._moved(JobState.QUEUED)

    @rule()
    def cancel(self) -> None:
        """The owner can cancel until the job is over."""
        try:
            self.transact(lambda session: self._act(session, settlement.cancel, 3600.0))
        except Conflict:
            assert self.state in TERMINAL - {JobState.CANCELED}
        else:
            if self.state is not JobState.CANCELED:
                self._moved(JobState.CANCELED)

    @rule()
    def retry(self) -> None:
        """The owner can retry a failed job."""
        try:
            self.transact(lambda session: self._act(session, settlement.retry))
        except Conflict:
            assert self.state is not JobState.FAILED
        else:
            self._moved(JobState.QUEUED)

    @invariant()
    def row_and_history_agree(self) -> None:
        """State and version match the model, events have no gaps, and every step is in `MOVES`."""
        if not hasattr(self, "job_id"):
            return
        job, events = self.transact(self._look)
        assert (job.state, job.version) == (self.state, self.version)
        assert [event.seq for event in events] == list(range(1, self.events + 1))
        steps = [event.status for event in events if event.kind is EventKind.STATUS]
        assert steps[-1] is self.state
        assert all(after in MOVES[before] for before, after in itertools.pairwise(steps))
        assert self.state not in TERMINAL or job.lease_until is None
        assert (job.finished_at is not None) == (self.state in TERMINAL)

    def _moved(self, to: JobState) -> None:
        self.state, self.version, self.events = to, self.version + 1, self.events + 1
        if to in TERMINAL or to is JobState.QUEUED:
            self.lease = None

    async def _act(self, session: AsyncSession, act, *more: float) -> None:
        job = await session.get_one(Job, self.job_id)
        await act(session, Actor.operator(job.account_id), job, *more)

    async def _look(self, session: AsyncSession) -> tuple[Job, list[JobEvent]]:
        return await session.get_one(Job, self.job_id), await queries.events_after(session, self.job_id, 0)


def test_a_job_keeps_its_rules_in_every_order_of_operations(database_url: str) -> None:
    """Random sequences of operations keep the rules of `MOVES` and of the version fence."""
    explore(JobLife, database_url)
