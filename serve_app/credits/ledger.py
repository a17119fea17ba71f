"""Write and sum credit movements, in the caller's transaction.

Charges, returns and expiries lock the account row first, so two charges at once cannot overdraw the account.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.models import Account
from serve_app.credits.models import MAX_REASON, EntryKind, LedgerEntry
from serve_app.errors import InsufficientCredits, KeyCapReached
from serve_app.keys.models import ApiKey
from serve_app.storage.pagination import Page, Position, older_than, page


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one job."""

    account_id: str
    job_id: str
    credits: int
    key_id: str | None = None


def credits_for(duration_s: float, credits_per_minute: int = 1) -> int:
    """Price of a recording: every started minute counts in full (412 s at 1 a minute → 7)."""
    return max(1, math.ceil(duration_s / 60)) * credits_per_minute


async def balance(session: AsyncSession, account_id: str) -> int:
    """Sum of an account's rows, after ended grants were taken back."""
    await _lock(session, account_id)
    await _expire(session, account_id)
    return await _sum(session, col(LedgerEntry.account_id) == account_id)


async def grant(
    session: AsyncSession, account_id: str, credits_: int, reason: str, expires_at: datetime | None = None
) -> None:
    """Add credits. What is left of them at `expires_at` is taken back; None keeps them."""
    entry = LedgerEntry(
        account_id=account_id, kind=EntryKind.GRANT, credits=credits_, reason=reason, expires_at=expires_at
    )
    session.add(entry)
    await session.flush()


async def charge(session: AsyncSession, price: Price, reason: str) -> int:
    """Charge the price of a job and return the remaining balance. `reason` is for people.

    Raises `InsufficientCredits` or `KeyCapReached`, and then charges nothing.
    """
    remaining = await check(session, price)
    if price.credits:  # a demo costs nothing
        session.add(_entry(price, EntryKind.CHARGE, -price.credits, reason))
        await session.flush()
    return remaining


async def check(session: AsyncSession, price: Price) -> int:
    """The balance that a charge would leave. Raises as `charge`."""
    before = await balance(session, price.account_id)
    remaining = before - price.credits
    if remaining < 0:
        raise InsufficientCredits(_shortage(before, price.credits), price.credits, before)
    await _check_cap(session, price)
    return remaining


async def return_credits(session: AsyncSession, price: Price, kind: EntryKind, reason: str) -> bool:
    """Return a job's price, at most once. False when nothing is to be returned. For `jobs.settlement` only."""
    returned = select(LedgerEntry.id).where(
        col(LedgerEntry.job_id) == price.job_id, col(LedgerEntry.kind).in_((EntryKind.RELEASE, EntryKind.REFUND))
    )
    await _lock(session, price.account_id)
    if price.credits == 0 or (await session.exec(returned)).first() is not None:
        return False
    session.add(_entry(price, kind, price.credits, reason))
    await session.flush()
    return True


async def list_entries(session: AsyncSession, account_id: str, after: Position | None, limit: int) -> Page[LedgerEntry]:
    """A page of an account's movements, newest first."""
    older = older_than(after, col(LedgerEntry.created_at), col(LedgerEntry.id), int)
    query = (
        select(LedgerEntry)
        .where(col(LedgerEntry.account_id) == account_id, *older)
        .order_by(col(LedgerEntry.created_at).desc(), col(LedgerEntry.id).desc())
        .limit(limit + 1)
    )
    return page((await session.exec(query)).all(), limit, lambda entry: Position(entry.created_at, str(entry.id)))


async def _lock(session: AsyncSession, account_id: str) -> None:
    await session.exec(select(col(Account.id)).where(col(Account.id) == account_id).with_for_update())


async def _sum(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    total = func.coalesce(func.sum(col(LedgerEntry.credits)), 0)
    return int((await session.exec(select(total).where(*conditions))).one())


async def _expire(session: AsyncSession, account_id: str) -> None:
    """Take back what is left of ended grants.

    Credits that end soonest are spent first. What is left of an ended grant is therefore the balance minus all grants
    that have not ended. If a longer grant was spent before a shorter one was given, too little is taken back.
    """
    ended = aliased(LedgerEntry)
    taken_back = select(ended.grant_id).where(col(ended.account_id) == account_id, col(ended.grant_id).is_not(None))
    mine = (col(LedgerEntry.account_id) == account_id, col(LedgerEntry.kind) == EntryKind.GRANT)
    ended_grants = (*mine, col(LedgerEntry.expires_at) <= func.now(), col(LedgerEntry.id).not_in(taken_back))
    due = (await session.exec(select(LedgerEntry).where(*ended_grants).order_by(col(LedgerEntry.expires_at)))).all()
    for grant_ in due:
        not_ended = or_(col(LedgerEntry.expires_at).is_(None), col(LedgerEntry.expires_at) > grant_.expires_at)
        excess = await _sum(session, col(LedgerEntry.account_id) == account_id) - await _sum(session, *mine, not_ended)
        left = min(grant_.credits, max(0, excess))
        if left:
            entry = LedgerEntry(account_id=account_id, kind=EntryKind.EXPIRY, credits=-left, grant_id=grant_.id)
            entry.reason = _short(f"the rest of a grant has expired: {grant_.reason}")
            session.add(entry)
            await session.flush()


def _shortage(remaining: int, needed: int) -> str:
    """The message of a 402: the default one when nothing is left."""
    if not remaining:
        return ""
    left = "1 credit is left" if remaining == 1 else f"{remaining} credits are left"
    return f"The job costs {needed} credits and {left}. Subscribe to continue."


async def _check_cap(session: AsyncSession, price: Price) -> None:
    key = None if price.key_id is None else await session.get(ApiKey, price.key_id)
    if key is None or key.monthly_cap is None:
        return
    this_month = col(LedgerEntry.created_at) >= func.date_trunc("month", func.now(), "UTC")
    spent = -await _sum(session, col(LedgerEntry.key_id) == key.id, this_month)
    if spent + price.credits > key.monthly_cap:
        raise KeyCapReached(
            f"This key may spend {key.monthly_cap} credits a month and has spent {spent}. This job costs "
            f"{price.credits}. Use another key, or wait until next month (UTC).",
            price.credits,
        )


def _entry(price: Price, kind: EntryKind, credits_: int, reason: str) -> LedgerEntry:
    entry = LedgerEntry(account_id=price.account_id, kind=kind, credits=credits_, reason=_short(reason))
    entry.job_id, entry.key_id = price.job_id, price.key_id
    return entry


def _short(reason: str) -> str:
    return reason[:MAX_REASON]
