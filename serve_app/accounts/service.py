"""Create and list accounts."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.models import Account
from serve_app.errors import NotFound
from serve_app.storage.text import storable


async def create_account(session: AsyncSession, name: str) -> Account:
    """Create an account without keys or credits."""
    account = Account(name=name)
    session.add(account)
    await session.flush()
    return account


async def get_account(session: AsyncSession, account_id: str) -> Account:
    """The account with this id. Raises `NotFound`."""
    account = await session.get(Account, account_id) if storable(account_id) else None
    if account is None:
        raise NotFound("No account has this id. `recruitscreen-admin list-accounts` shows all.")
    return account


async def list_accounts(session: AsyncSession) -> Sequence[Account]:
    """Every account, oldest first."""
    return (await session.exec(select(Account).order_by(col(Account.created_at)))).all()


DEMO_ACCOUNT = "acc_demo"


async def get_demo_account(session: AsyncSession) -> str:
    """Id of the account that owns anonymous demos. Creates it if it does not exist."""
    await session.exec(insert(Account).values(id=DEMO_ACCOUNT, name="Anonymous demos").on_conflict_do_nothing())
    return DEMO_ACCOUNT
