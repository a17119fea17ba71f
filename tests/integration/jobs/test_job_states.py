"""A job among workers that race, die and come back, owners that cancel and retry, and a sweep."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

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
    """One job. The model knows its state, its version, and which version each worker believes in."""

    @initialize()
    def accept_job(self) -> None:
        customer = self.wait(new_customer(self.database, credits_=100))
        self.job_id = self.transact(lambda session: accept(session, customer)).job_id
        self.state, self.version, self.lease = JobState.QUEUED, 1, None
        self.seen: dict[str, int] = {}
        self.events = 1

    @rule(worker=workers)
    def claim(self, worker: str) -> None:
        """Succeeds only for a queued job that nobody holds."""
        claim = self.transact(lambda session: lifecycle.claim(session, self.job_id, worker, 3600))
        assert (claim is not None) == (self.state is JobState.QUEUED and self.lease != "live")
        if claim is not None:
            self.version += 1
            assert claim.version == self.version
            self.seen[worker], self.lease = claim.version, "live"

    @rule(worker=workers, to=states)
    def move(self, worker: str, to: JobState) -> None:
        """A worker writes what it believes in; only the newest belief counts, and only along the table."""
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
        """Progress comes only from the worker that has the job."""
        seen = self.seen.get(worker, 0)
        try:
            self.transact(lambda session: lifecycle.report(session, self.job_id, seen, Note("on it", {"percent": 5})))
        except LeaseLost:
            assert seen != self.version or self.state in TERMINAL
        else:
            assert seen == self.version
            self.events += 1

    @rule()
    def fall_silent(self) -> None:
        """The lease runs out: a queued job is free again, a running one is swept back to the queue."""
        past = datetime.now(UTC) - timedelta(seconds=1)

        async def run_out(session: AsyncSession) -> None:
            held = (col(Job.id) == self.job_id) & col(Job.lease_until).is_not(None)
            await session.exec(update(Job).where(held).values(lease_until=past))

        async def sweep(session: AsyncSession) -> bool:
            found = [job for job in await lifecycle.expired_leases(session) if job.id == self.job_id]
            for job in found:
                await lifecycle.requeue(session, job.id, seen=job.version, after_s=0, note=Note("silent"))
            return bool(found)

        self.transact(run_out)
        swept = self.transact(sweep)
        self.lease = self.lease and "past"
        assert swept == (self.state in RUNNING and self.lease == "past")
        if swept:
            self._moved(JobState.QUEUED)

    @rule()
    def cancel(self) -> None:
        """The owner may, until the job is over."""
        try:
            self.transact(lambda session: self._act(session, settlement.cancel, 3600.0))
        except Conflict:
            assert self.state in TERMINAL - {JobState.CANCELED}
        else:
            if self.state is not JobState.CANCELED:
                self._moved(JobState.CANCELED)

    @rule()
    def retry(self) -> None:
        """The owner may, when it failed."""
        try:
            self.transact(lambda session: self._act(session, settlement.retry))
        except Conflict:
            assert self.state is not JobState.FAILED
        else:
            self._moved(JobState.QUEUED)

    @invariant()
    def row_and_history_agree(self) -> None:
        """State and version as modelled; events without gaps; every step one of the table's."""
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
        await act(session, await session.get_one(Job, self.job_id), *more)

    async def _look(self, session: AsyncSession) -> tuple[Job, list[JobEvent]]:
        return await session.get_one(Job, self.job_id), await queries.events_after(session, self.job_id, 0)


def test_a_job_keeps_its_rules_whoever_does_what(database_url: str) -> None:
    """Random lives of a job, against a model of its table and its fence."""
    explore(JobLife, database_url)
