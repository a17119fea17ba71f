"""Operators' commands: accounts, members, keys, credits, database schema.

They use the database of DATABASE_URL, or else the database of the running `make run`.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app import migrate as schema
from serve_app.accounts import links, members
from serve_app.accounts import service as accounts
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.models import LinkKind, Member
from serve_app.credits import ledger
from serve_app.errors import NotFound, RecruitScreenError, Unavailable
from serve_app.http.pages.error_codes import as_markdown
from serve_app.keys import service as keys
from serve_app.keys.models import ALL_SCOPES
from serve_app.keys.service import KeyTerms
from serve_app.settings import ROOT, Paths
from serve_app.storage.database import Database
from serve_app.storage.moments import LATEST
from serve_app.storage.text import storable
from serve_app.verticals.catalog import Catalog

T = TypeVar("T")
app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()
ERROR_DOCS = ROOT / "docs" / "errors.md"
LOCAL = "http://127.0.0.1:8000"
MOST_CREDITS = 1_000_000_000
MOST_DAYS = 36_500
MOST_CHARACTERS = 200
END_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


def _text(value: str) -> str:
    """A name or a reason. Refuses what the database cannot store."""
    if not storable(value):
        raise typer.BadParameter("It must be valid UTF-8 without NUL characters.")
    if len(value) > MOST_CHARACTERS:
        raise typer.BadParameter(f"It must have at most {MOST_CHARACTERS} characters, and has {len(value)}.")
    return value


def _end(value: datetime | None) -> datetime | None:
    """A future time in UTC."""
    if value is None:
        return None
    moment = value.replace(tzinfo=UTC)
    if not datetime.now(UTC) < moment < LATEST:
        raise typer.BadParameter(f"{moment:%Y-%m-%d %H:%M} UTC is not between now and the year {LATEST.year}.")
    return moment


@app.command()
def open_account(
    name: Annotated[str, typer.Argument(callback=_text)],
    credits_: Annotated[int, typer.Option("--credits", min=0, max=MOST_CREDITS, help="Credits to start with.")] = 0,
) -> None:
    """Open an account and print its id."""

    async def work(session: AsyncSession) -> str:
        account = await accounts.create_account(session, name)
        if credits_:
            await ledger.grant(session, account.id, credits_, "opened by the operator")
        return account.id

    console.print(_in_transaction(work))


@app.command()
def list_accounts() -> None:
    """List all accounts with their balances."""

    async def work(session: AsyncSession) -> list[tuple[str, str, int]]:
        found = await accounts.list_accounts(session)
        return [(account.id, account.name, await ledger.balance(session, account.id)) for account in found]

    table = Table("account", "name", "credits")
    for account_id, name, credits_ in _in_transaction(work):
        table.add_row(account_id, name, str(credits_))
    console.print(table)


@app.command()
def grant(
    account_id: str,
    credits_: Annotated[int, typer.Argument(metavar="CREDITS", min=1, max=MOST_CREDITS)],
    reason: Annotated[str, typer.Option(callback=_text, help="Shown in the ledger.")] = "granted by the operator",
    days: Annotated[int | None, typer.Option(min=1, max=MOST_DAYS, help="Days until unused credits expire.")] = None,
) -> None:
    """Give an account credits and print its new balance."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None

    async def work(session: AsyncSession) -> int:
        await accounts.get_account(session, account_id)
        await ledger.grant(session, account_id, credits_, reason, expires_at)
        return await ledger.balance(session, account_id)

    console.print(_in_transaction(work))


@app.command()
def issue_key(
    account_id: str,
    scope: Annotated[str, typer.Option(help="A product's slug, or 'all'.")] = ALL_SCOPES,
    name: Annotated[str, typer.Option(callback=_text, help="Label, shown in lists of keys.")] = "",
    monthly_cap: Annotated[
        int | None, typer.Option(min=1, max=MOST_CREDITS, help="Credits it may spend in a calendar month.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=MOST_DAYS, help="Days until the key expires.")] = None,
) -> None:
    """Create a key and print it once. Only its hash is stored."""
    known = (ALL_SCOPES, *(spec.slug for spec in Catalog.read(Paths().verticals_dir)))
    if scope not in known:
        console.print(f"There is no scope '{scope}'. Choose one of: {', '.join(known)}.", style="red", highlight=False)
        raise typer.Exit(2)
    terms = KeyTerms(scope, name, datetime.now(UTC) + timedelta(days=days) if days else None, monthly_cap)

    async def work(session: AsyncSession) -> str:
        await accounts.get_account(session, account_id)
        return (await keys.issue(session, Actor.operator(account_id), terms)).secret

    console.print(_in_transaction(work), highlight=False, soft_wrap=True)


@app.command()
def list_keys(account_id: str) -> None:
    """List an account's keys."""

    async def work(session: AsyncSession) -> list[tuple[str, ...]]:
        await accounts.get_account(session, account_id)
        found = await keys.list_keys(session, Actor.operator(account_id))
        return [
            (key.id, key.prefix + "…", key.scope, key.name, str(key.revoked_at or key.expires_at or ""))
            for key in found
        ]

    table = Table("key", "prefix", "scope", "name", "ended")
    for row in _in_transaction(work):
        table.add_row(*row)
    console.print(table)


@app.command()
def revoke_key(account_id: str, key_id: str) -> None:
    """Revoke a key. It stops working at once."""

    async def work(session: AsyncSession) -> None:
        await accounts.get_account(session, account_id)
        await keys.revoke(session, Actor.operator(account_id), key_id)

    _in_transaction(work)


@app.command()
def rotate_key(
    account_id: str,
    key_id: str,
    overlap_s: Annotated[
        int, typer.Option(min=0, max=MOST_DAYS * 24 * 3600, help="Seconds until the old key ends.")
    ] = 24 * 3600,
    expires_at: Annotated[
        datetime | None,
        typer.Option(
            formats=END_FORMATS,
            callback=_end,
            help="When the new key ends (UTC). Default: when the old one would have.",
        ),
    ] = None,
    *,
    no_expiry: Annotated[bool, typer.Option("--no-expiry", help="The new key never ends.")] = False,
) -> None:
    """Create a key with the same scope, name and cap, end the old one, and print the new key once."""
    if expires_at and no_expiry:
        raise typer.BadParameter("Give --expires-at or --no-expiry, not both.")
    changes = {"expires_at": expires_at} if expires_at or no_expiry else {}

    async def work(session: AsyncSession) -> str:
        await accounts.get_account(session, account_id)
        return (await keys.rotate(session, Actor.operator(account_id), key_id, overlap_s, **changes)).secret

    console.print(_in_transaction(work), highlight=False, soft_wrap=True)


@app.command()
def invite_member(
    account_id: str,
    email: str,
    role: Annotated[Role, typer.Option(help="What the member may do.")] = Role.OWNER,
) -> None:
    """Print a link by which somebody joins an account. It works once, for a week."""

    async def work(session: AsyncSession) -> str:
        await accounts.get_account(session, account_id)
        return await links.invite(session, Actor.operator(account_id), email, role)

    _print_link(_in_transaction(work))


@app.command()
def list_members(account_id: str) -> None:
    """List an account's members."""

    async def work(session: AsyncSession) -> list[tuple[str, ...]]:
        await accounts.get_account(session, account_id)
        found = await members.list_members(session, Actor.operator(account_id))
        return [(member.id, member.email, member.role, "yes" if member.password_hash else "no") for member in found]

    table = Table("member", "e-mail", "role", "password")
    for row in _in_transaction(work):
        table.add_row(*row)
    console.print(table)


@app.command()
def reset_link(email: str) -> None:
    """Print a link by which a member chooses a new password. It works once, for a day."""
    _print_link(_in_transaction(lambda session: _link_for(session, email, LinkKind.RESET)))


@app.command()
def sign_in_link(email: str) -> None:
    """Print a link that signs a member in. It works once, for a day."""
    _print_link(_in_transaction(lambda session: _link_for(session, email, LinkKind.SIGN_IN)))


@app.command()
def remove_member(email: str) -> None:
    """Remove a member and end their sessions at once."""

    async def work(session: AsyncSession) -> None:
        member = await _member(session, email)
        await members.remove(session, Actor.operator(member.account_id), member.id)

    _in_transaction(work)


@app.command()
def migrate() -> None:
    """Migrate the database to the newest schema."""
    schema.migrate(_database_url())


@app.command()
def write_migration(message: str) -> None:
    """For developers: write a migration from the database's schema to the tables in the code. Review it."""
    schema.write_migration(_database_url(), message)


@app.command()
def write_error_docs() -> None:
    """For developers: write docs/errors.md from the error classes."""
    ERROR_DOCS.write_text(as_markdown(), "utf-8")


async def _member(session: AsyncSession, email: str) -> Member:
    member = await members.find_by_email(session, email)
    if member is None:
        raise NotFound("No member has this address. `recruitscreen-admin list-members ACCOUNT` shows an account's.")
    return member


async def _link_for(session: AsyncSession, email: str, kind: LinkKind) -> str:
    member = await _member(session, email)
    return await links.make_for_member(session, Actor.operator(member.account_id), member.id, kind)


def _print_link(secret: str) -> None:
    """Print the link of a secret, under PUBLIC_URL, or else where `make run` serves."""
    note = Paths().quickstart_file
    url = os.environ.get("PUBLIC_URL") or (json.loads(note.read_text("utf-8"))["base_url"] if note.exists() else LOCAL)
    console.print(f"{url.rstrip('/')}/links/{secret}", highlight=False, soft_wrap=True)


def _in_transaction(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database(_database_url(), pool_size=1)
        try:
            async with database.transaction() as session:
                return await work(session)
        except Unavailable as error:
            reason = str(getattr(error.__cause__, "orig", error.__cause__)).partition("\n")[0]
            console.print(f"Cannot use the database ({reason}).", style="red", highlight=False, markup=False)
            console.print("Start it with `make run`, or set DATABASE_URL.", style="red")
            raise typer.Exit(1) from None
        except RecruitScreenError as error:
            console.print(error.message, style="red")
            raise typer.Exit(1) from None
        finally:
            await database.close()

    return asyncio.run(run())


def _database_url() -> str:
    url = os.environ.get("DATABASE_URL")
    note = Paths().database_url_file
    if url is None and note.exists():
        url = note.read_text("utf-8")
    if url is None:
        console.print("[red]No database is known. Set DATABASE_URL, or start the system with `make run`.[/]")
        raise typer.Exit(2)
    return url


if __name__ == "__main__":
    app()
