"""Charges, refunds and idempotency keys in a real PostgreSQL."""

import asyncio

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.credits import ledger
from serve_app.credits.ledger import Price
from serve_app.credits.models import EntryKind, LedgerEntry
from serve_app.errors import InsufficientCredits, Invalid
from serve_app.jobs import submit
from serve_app.jobs.models import Job
from serve_app.jobs.submit import Accepted, Submission
from serve_app.storage.blobs import StoredBlob
from serve_app.storage.database import Database
from tests.support.world import RECRUITSCREEN, Customer, new_customer


async def accept(
    session: AsyncSession, customer: Customer, credits_: int = 1, key: str | None = None, sha256: str = "0" * 64
) -> Accepted:
    """Accept a recording of that price."""
    inputs = {"role_title": "Engineer"}
    submission = Submission(customer.actor, RECRUITSCREEN, inputs, idempotency_key=key)
    return await submit.accept(session, submission, StoredBlob("blob", sha256, 1), 60.0 * credits_, credits_)


async def balance(database: Database, customer: Customer) -> int:
    async with database.transaction() as session:
        return await ledger.balance(session, customer.account_id)


async def test_parallel_submits_never_overdraw(database: Database) -> None:
    """Of fifty concurrent submits on a balance of seven, seven are accepted and the balance is zero."""
    customer = await new_customer(database, credits_=7)

    async def try_to_submit() -> bool:
        try:
            async with database.transaction() as session:
                await accept(session, customer)
        except InsufficientCredits:
            return False
        return True

    accepted = await asyncio.gather(*(try_to_submit() for _ in range(50)))
    assert sum(accepted) == 7
    assert await balance(database, customer) == 0
    async with database.transaction() as session:
        assert len((await session.exec(select(Job))).all()) == 7


async def test_a_refused_job_charges_nothing_and_leaves_nothing(database: Database) -> None:
    """A refused submit names the credits needed, and leaves balance, jobs and idempotency key unchanged."""
    customer = await new_customer(database, credits_=6)
    with pytest.raises(InsufficientCredits) as refusal:
        async with database.transaction() as session:
            await accept(session, customer, credits_=7, key="k")
    assert refusal.value.credits_needed == 7
    assert await balance(database, customer) == 6
    async with database.transaction() as session:
        assert (await session.exec(select(Job))).all() == []
        accepted = await accept(session, customer, credits_=6, key="k")
    assert not accepted.replayed


async def test_a_price_is_returned_once(database: Database) -> None:
    """Three refunds of a job return its price once."""
    customer = await new_customer(database, credits_=10)
    async with database.transaction() as session:
        job_id = (await accept(session, customer, credits_=4)).job_id
    for _ in range(3):
        async with database.transaction() as session:
            await ledger.return_credits(session, Price(customer.account_id, job_id, 4), EntryKind.REFUND, "why")
    assert await balance(database, customer) == 10
    async with database.transaction() as session:
        rows = await session.exec(select(LedgerEntry).where(col(LedgerEntry.job_id) == job_id))
        assert [row.credits for row in rows] == [-4, 4]


async def test_concurrent_duplicates_under_one_key_become_one_job(database: Database) -> None:
    """Ten identical concurrent submits make one job, one charge and ten equal answers."""
    customer = await new_customer(database, credits_=10)

    async def submit_once() -> Accepted:
        async with database.transaction() as session:
            return await accept(session, customer, credits_=2, key="same")

    answers = await asyncio.gather(*(submit_once() for _ in range(10)))
    assert len({(a.job_id, a.credits_charged, a.credits_remaining) for a in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await balance(database, customer) == 8


async def test_a_key_used_for_another_file_is_refused(database: Database) -> None:
    """A key reused with another recording raises `Invalid`."""
    customer = await new_customer(database)
    async with database.transaction() as session:
        await accept(session, customer, key="k")
    with pytest.raises(Invalid, match="Idempotency-Key"):
        async with database.transaction() as session:
            await accept(session, customer, key="k", sha256="1" * 64)


async def test_two_accounts_may_use_the_same_idempotency_key(database: Database) -> None:
    """Idempotency keys of different accounts are independent."""
    answers = []
    for _ in range(2):
        customer = await new_customer(database)
        async with database.transaction() as session:
            answers.append(await accept(session, customer, key="k"))
    assert answers[0].job_id != answers[1].job_id
