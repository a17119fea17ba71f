"""Random sequences of grants, charges, cancels, failures, retries, erasures and refunds, against a model."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, invariant, multiple, precondition, rule
from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.credits.models import EntryKind, LedgerEntry
from serve_app.errors import InsufficientCredits
from serve_app.jobs import lifecycle, settlement
from serve_app.jobs.models import Job, JobState, price_of
from serve_app.storage.database import after
from tests.integration.credits.test_ledger import accept
from tests.support.stateful import OnDatabase, explore
from tests.support.world import new_customer

credits_ = st.integers(min_value=1, max_value=12)


class Ledger(OnDatabase):
    """One account. `balance` is the expected sum of its rows; `price` holds the price of each job."""

    queued = Bundle("queued")
    failed = Bundle("failed")
    over = Bundle("over")

    @initialize()
    def open(self) -> None:
        self.customer = self.wait(new_customer(self.database, credits_=0))
        self.balance, self.open_trials = 0, 0
        self.price: dict[str, int] = {}
        self.returned: set[str] = set()

    @rule(amount=credits_)
    def grant(self, amount: int) -> None:
        self.transact(lambda session: ledger.grant(session, self.customer.account_id, amount, "bought"))
        self.balance += amount

    @rule(target=queued, amount=credits_)
    def submit(self, amount: int) -> object:
        """A submit is accepted if and only if the balance covers it."""
        try:
            accepted = self.transact(lambda session: accept(session, self.customer, amount))
        except InsufficientCredits:
            assert amount > self.balance
            return multiple()
        assert amount <= self.balance
        self.balance -= amount
        assert accepted.credits_remaining == self.balance
        self.price[accepted.job_id] = amount
        return accepted.job_id

    @rule(target=queued, count=st.integers(min_value=2, max_value=6), amount=credits_)
    def submit_at_once(self, count: int, amount: int) -> object:
        """Of concurrent submits, as many are accepted as the balance covers."""

        async def submit_one() -> str | None:
            try:
                async with self.database.transaction() as session:
                    return (await accept(session, self.customer, amount)).job_id
            except InsufficientCredits:
                return None

        async def submit_all() -> list[str | None]:
            return await asyncio.gather(*(submit_one() for _ in range(count)))

        accepted = [job_id for job_id in self.wait(submit_all()) if job_id]
        assert len(accepted) == min(count, self.balance // amount)
        self.balance -= amount * len(accepted)
        self.price |= dict.fromkeys(accepted, amount)
        return multiple(*accepted)

    @rule(target=over, job_id=consumes(queued))
    def cancel_before_work(self, job_id: str) -> str:
        self.transact(lambda session: self._cancel(session, job_id))
        self._expect_return(job_id)
        return job_id

    @rule(target=over, job_id=consumes(queued))
    def cancel_after_work_began(self, job_id: str) -> str:
        self.transact(lambda session: lifecycle.claim(session, job_id, "worker", 30))
        self.transact(lambda session: lifecycle.transition(session, job_id, JobState.PROCESSING_INFERENCE))
        self.transact(lambda session: self._cancel(session, job_id))
        return job_id

    @rule(target=failed, job_id=consumes(queued))
    def fail(self, job_id: str) -> str:
        kept = {"expires_at": after(3600)}
        self.transact(lambda session: lifecycle.transition(session, job_id, JobState.FAILED, **kept))
        return job_id

    @rule(target=queued, job_id=consumes(failed))
    def retry(self, job_id: str) -> str:
        """A retry charges nothing."""
        self.transact(lambda session: self._with_job(session, job_id, settlement.retry))
        return job_id

    @rule(target=over, job_id=consumes(failed))
    def erase_a_failed_job(self, job_id: str) -> str:
        self.transact(lambda session: self._with_job(session, job_id, settlement.erase))
        self._expect_return(job_id)
        return job_id

    @rule(job_id=over, kind=st.sampled_from([EntryKind.RELEASE, EntryKind.REFUND]))
    def return_again(self, job_id: str, kind: EntryKind) -> None:
        """A price is returned at most once."""

        async def again(session: AsyncSession) -> None:
            await ledger.return_credits(session, price_of(await session.get_one(Job, job_id)), kind, "why")

        self.transact(again)
        self._expect_return(job_id)

    @precondition(lambda self: hasattr(self, "customer"))
    @rule(amount=credits_)
    def grant_that_ends(self, amount: int) -> None:
        """An ended grant takes back at most its own credits, and none that were spent."""
        end = datetime.now(UTC) + timedelta(hours=1)
        self.transact(lambda session: ledger.grant(session, self.customer.account_id, amount, "trial", end))
        self.transact(self._end_trials)
        after = self.transact(lambda session: ledger.balance(session, self.customer.account_id))
        assert max(0, self.balance) <= after <= self.balance + amount
        self.balance = after

    @invariant()
    def rows_add_up(self) -> None:
        """Rows, balance and model agree, no balance is negative, and each job has one row per kind."""
        if not hasattr(self, "customer"):
            return
        balance, rows = self.transact(self._look)
        assert sum(row.credits for row in rows) == balance >= 0
        # Credits returned after a trial has ended may belong to the trial, and are then taken back with it.
        assert self.balance - self.open_trials <= balance <= self.balance
        self.balance, self.open_trials = balance, open_trials(rows)
        keys = [(row.job_id, row.kind) for row in rows if row.job_id]
        assert len(keys) == len(set(keys))
        for job_id, price in self.price.items():
            moved = [row.credits for row in rows if row.job_id == job_id]
            assert sorted(moved) == sorted([-price] + [price] * (job_id in self.returned))

    def _expect_return(self, job_id: str) -> None:
        if job_id not in self.returned:
            self.returned.add(job_id)
            self.balance += self.price[job_id]

    async def _cancel(self, session: AsyncSession, job_id: str) -> None:
        await settlement.cancel(session, self.customer.actor, await session.get_one(Job, job_id), 3600)

    async def _with_job(self, session: AsyncSession, job_id: str, act) -> None:
        await act(session, self.customer.actor, await session.get_one(Job, job_id))

    async def _end_trials(self, session: AsyncSession) -> None:
        trial = (col(LedgerEntry.reason) == "trial") & (col(LedgerEntry.account_id) == self.customer.account_id)
        await session.exec(update(LedgerEntry).where(trial).values(expires_at=func.now()))

    async def _look(self, session: AsyncSession) -> tuple[int, list[LedgerEntry]]:
        balance = await ledger.balance(session, self.customer.account_id)
        mine = select(LedgerEntry).where(col(LedgerEntry.account_id) == self.customer.account_id)
        return balance, list((await session.exec(mine)).all())


def open_trials(rows: list[LedgerEntry]) -> int:
    """Credits of ended grants that were spent completely before their end."""
    ended = {row.grant_id for row in rows if row.kind is EntryKind.EXPIRY}
    return sum(row.credits for row in rows if row.reason == "trial" and row.id not in ended)


def test_the_ledger_adds_up_in_every_order_of_events(database_url: str) -> None:
    """Random sequences of movements match the model."""
    explore(Ledger, database_url)
