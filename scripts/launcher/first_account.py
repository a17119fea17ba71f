"""The account, credits and key that a first start creates, and finds again at the next."""

import asyncio
import json
from pathlib import Path

from serve_app.accounts.service import open_account
from serve_app.credits import ledger
from serve_app.errors import Unauthorized
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import KeyTerms
from serve_app.storage.database import Database

CREDITS = 100


def first_key(database_url: str, quickstart: Path) -> str:
    """The key noted in `quickstart` if it still opens this database, else a new one with a new account behind it."""
    return asyncio.run(_first_key(database_url, _noted(quickstart)))


def _noted(quickstart: Path) -> str | None:
    if not quickstart.exists():
        return None
    key = json.loads(quickstart.read_text("utf-8")).get("api_key")
    return key if isinstance(key, str) else None


async def _first_key(database_url: str, noted: str | None) -> str:
    database = Database(database_url, pool_size=1)
    try:
        if noted and await _opens(database, noted):
            return noted
        async with database.transaction() as session:
            account = await open_account(session, "First account")
            await ledger.grant(session, account.id, CREDITS, "first start")
            return (await keys.issue(session, account.id, KeyTerms(ALL_SCOPES, "first key"))).secret
    finally:
        await database.close()


async def _opens(database: Database, secret: str) -> bool:
    try:
        async with database.transaction() as session:
            await keys.verify(session, secret)
    except Unauthorized:
        return False
    return True
