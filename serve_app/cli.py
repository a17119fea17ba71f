"""The operator's commands: accounts, keys, credits, schema, generated docs.

They talk to the database in DATABASE_URL, or to that of the stack that `make run` has up.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlmodel.ext.asyncio.session import AsyncSession

from scripts.launcher.stack import ROOT, running_database_url
from serve_app import migrate as schema
from serve_app.accounts import service as accounts
from serve_app.credits import ledger
from serve_app.errors import RecruitScreenError
from serve_app.http.pages.error_codes import as_markdown
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import KeyTerms
from serve_app.storage.database import Database

T = TypeVar("T")
app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()
ERROR_DOCS = ROOT / "docs" / "errors.md"


@app.command()
def open_account(name: str, credits_: Annotated[int, typer.Option("--credits", min=0)] = 0) -> None:
    """Open an account, with credits if asked, and print its id."""

    async def work(session: AsyncSession) -> str:
        account = await accounts.open_account(session, name)
        if credits_:
            await ledger.grant(session, account.id, credits_, "opened by the operator")
        return account.id

    console.print(_in_transaction(work))


@app.command()
def list_accounts() -> None:
    """Every account with its balance."""

    async def work(session: AsyncSession) -> list[tuple[str, str, int]]:
        found = await accounts.listed(session)
        return [(account.id, account.name, await ledger.balance(session, account.id)) for account in found]

    table = Table("account", "name", "credits")
    for account_id, name, credits_ in _in_transaction(work):
        table.add_row(account_id, name, str(credits_))
    console.print(table)


@app.command()
def grant(
    account_id: str,
    credits_: Annotated[int, typer.Argument(metavar="CREDITS", min=1)],
    reason: str = "granted by the operator",
    days: Annotated[int | None, typer.Option(min=1, help="Take back what is left after so many days.")] = None,
) -> None:
    """Give an account credits, and print its balance."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None

    async def work(session: AsyncSession) -> int:
        await ledger.grant(session, account_id, credits_, reason, expires_at)
        return await ledger.balance(session, account_id)

    console.print(_in_transaction(work))


@app.command()
def issue_key(
    account_id: str,
    scope: Annotated[str, typer.Option(help="A product's slug, or 'all'.")] = ALL_SCOPES,
    name: str = "",
    monthly_cap: Annotated[int | None, typer.Option(min=1, help="Most credits it may spend in a month.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="End it after so many days.")] = None,
) -> None:
    """Make a key and print it. It is stored as a hash: this is the only time it can be seen."""
    terms = KeyTerms(scope, name, datetime.now(UTC) + timedelta(days=days) if days else None, monthly_cap)

    async def work(session: AsyncSession) -> str:
        return (await keys.issue(session, account_id, terms)).secret

    console.print(_in_transaction(work), highlight=False, soft_wrap=True)


@app.command()
def list_keys(account_id: str) -> None:
    """The keys of an account."""

    async def work(session: AsyncSession) -> list[tuple[str, ...]]:
        found = await keys.listed(session, account_id)
        return [
            (key.id, key.prefix + "…", key.scope, key.name, str(key.revoked_at or key.expires_at or ""))
            for key in found
        ]

    table = Table("key", "begins with", "scope", "name", "ended")
    for row in _in_transaction(work):
        table.add_row(*row)
    console.print(table)


@app.command()
def revoke_key(account_id: str, key_id: str) -> None:
    """End a key now."""

    async def work(session: AsyncSession) -> None:
        await keys.revoke(session, account_id, key_id)

    _in_transaction(work)


@app.command()
def rotate_key(
    account_id: str,
    key_id: str,
    overlap_s: Annotated[int, typer.Option(min=0, help="How long the old key goes on working.")] = 24 * 3600,
) -> None:
    """Replace a key by a new one of the same terms, and print that one."""

    async def work(session: AsyncSession) -> str:
        return (await keys.rotate(session, account_id, key_id, overlap_s)).secret

    console.print(_in_transaction(work), highlight=False, soft_wrap=True)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    schema.migrate(_database_url())


@app.command()
def write_migration(message: str) -> None:
    """Write the next migration from what the code says and the database does not. Read it before you commit it."""
    schema.write_migration(_database_url(), message)


@app.command()
def write_error_docs() -> None:
    """Write docs/errors.md from the error tree."""
    ERROR_DOCS.write_text(as_markdown(), "utf-8")


def _in_transaction(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database(_database_url(), pool_size=1)
        try:
            async with database.transaction() as session:
                return await work(session)
        except RecruitScreenError as error:
            console.print(error.message, style="red")
            raise typer.Exit(1) from None
        finally:
            await database.close()

    return asyncio.run(run())


def _database_url() -> str:
    url = os.environ.get("DATABASE_URL") or running_database_url()
    if url is None:
        console.print("[red]Set DATABASE_URL, or start the stack with `make run`.[/]")
        raise typer.Exit(2)
    return url


if __name__ == "__main__":
    app()
