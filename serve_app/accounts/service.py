"""Create and list accounts."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.models import Account


async def create_account(session: AsyncSession, name: str) -> Account:
    """Create an account without keys or credits."""
    account = Account(name=name)
    session.add(account)
    await session.flush()
    return account


async def list_accounts(session: AsyncSession) -> Sequence[Account]:
    """Every account, oldest first."""
    return (await session.exec(select(Account).order_by(col(Account.created_at)))).all()


DEMO_ACCOUNT = "acc_demo"


async def get_demo_account(session: AsyncSession) -> str:
    """Id of the account that owns anonymous demos. Creates it if it does not exist."""
    await session.exec(insert(Account).values(id=DEMO_ACCOUNT, name="Anonymous demos").on_conflict_do_nothing())
    return DEMO_ACCOUNT
