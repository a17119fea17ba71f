"""Open accounts and find them."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.models import Account


async def create_account(session: AsyncSession, name: str) -> Account:
    """Create an account with nothing in it."""
    account = Account(name=name)
    session.add(account)
    await session.flush()
    return account


async def list_accounts(session: AsyncSession) -> Sequence[Account]:
    """Every account, oldest first."""
    return (await session.exec(select(Account).order_by(col(Account.created_at)))).all()


DEMO = "acc_demo"


async def demo_account(session: AsyncSession) -> str:
    """The account that owns anonymous demos."""
    await session.exec(insert(Account).values(id=DEMO, name="Anonymous demos").on_conflict_do_nothing())
    return DEMO
