"""The first account with its credits, API key and owner. The first start creates them; later starts reuse them."""

import asyncio
import json
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import links, members
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.models import LinkKind, Member
from serve_app.accounts.service import create_account
from serve_app.credits import ledger
from serve_app.errors import Unauthorized
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import KeyTerms
from serve_app.storage.database import Database

CREDITS = 100
OWNER = "owner@localhost"
"""Address of the first owner, who invites others under their own."""


def first_key(database_url: str, quickstart: Path) -> str:
    """Return the key in the file `quickstart` if it is valid for this database, else the key of a new account."""
    return asyncio.run(_first_key(database_url, _read_key(quickstart)))


def _read_key(quickstart: Path) -> str | None:
    if not quickstart.exists():
        return None
    key = json.loads(quickstart.read_text("utf-8")).get("api_key")
    return key if isinstance(key, str) else None


async def _first_key(database_url: str, previous: str | None) -> str:
    database = Database(database_url, pool_size=1)
    try:
        if previous and await _is_valid(database, previous):
            return previous
        async with database.transaction() as session:
            account = await create_account(session, "First account")
            await ledger.grant(session, account.id, CREDITS, "first start")
            return (await keys.issue(session, Actor.operator(account.id), KeyTerms(ALL_SCOPES, "first key"))).secret
    finally:
        await database.close()


def sign_in_link(database_url: str, base_url: str, api_key: str) -> str:
    """A new link that signs in an owner of the key's account, once."""
    return asyncio.run(_sign_in_link(database_url, base_url, api_key))


async def _sign_in_link(database_url: str, base_url: str, api_key: str) -> str:
    database = Database(database_url, pool_size=1)
    try:
        async with database.transaction() as session:
            operator = Actor.operator((await keys.verify(session, api_key)).account_id)
            owner = await _get_owner(session, operator)
            secret = await links.make_for_member(session, operator, owner.id, LinkKind.SIGN_IN)
            return f"{base_url}/links/{secret}"
    finally:
        await database.close()


async def _get_owner(session: AsyncSession, operator: Actor) -> Member:
    """The account's first owner. Makes one where there is none."""
    for member in await members.list_members(session, operator):
        if member.role is Role.OWNER:
            return member
    taken = await members.find_by_email(session, OWNER)  # by an account of an earlier start whose key was lost
    email = f"{operator.account_id}@localhost" if taken else OWNER
    return await members.add_member(session, operator.account_id, email, Role.OWNER)


async def _is_valid(database: Database, secret: str) -> bool:
    try:
        async with database.transaction() as session:
            await keys.verify(session, secret)
    except Unauthorized:
        return False
    return True
