"""The first account with its credits and API key. The first start creates them; later starts reuse them."""

import asyncio
import json
from pathlib import Path

from serve_app.accounts.service import create_account
from serve_app.credits import ledger
from serve_app.errors import Unauthorized
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import KeyTerms
from serve_app.storage.database import Database

CREDITS = 100


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
            return (await keys.issue(session, account.id, KeyTerms(ALL_SCOPES, "first key"))).secret
    finally:
        await database.close()


async def _is_valid(database: Database, secret: str) -> bool:
    try:
        async with database.transaction() as session:
            await keys.verify(session, secret)
    except Unauthorized:
        return False
    return True
