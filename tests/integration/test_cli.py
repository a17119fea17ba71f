"""Operators' commands against a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve_app.accounts import links
from serve_app.cli import app
from serve_app.errors import Unauthorized
from serve_app.keys import service as keys
from serve_app.keys.models import ApiKey
from serve_app.storage.database import Database

Admin = Callable[..., str]


@pytest.fixture
def admin(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs a command and returns its output."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == exit_code, done.output
        return done.output.strip()

    return run


@pytest.fixture
def account_id(admin: Admin) -> str:
    """An account that the operator opened."""
    return admin("open-account", "A customer", "--credits", "5")


def verify(database_url: str, secret: str) -> ApiKey:
    """The stored key of a secret. Raises `Unauthorized` if it is not valid."""

    async def work() -> ApiKey:
        database = Database(database_url, pool_size=1)
        try:
            async with database.transaction() as session:
                return await keys.verify(session, secret)
        finally:
            await database.close()

    return asyncio.run(work())


def test_a_key_ends_after_the_days_it_was_issued_for(admin: Admin, account_id: str, database_url: str) -> None:
    """Scope, name and cap are as given; `--days` sets the expiry, and without it there is none."""
    secret = admin(
        "issue-key", account_id, "--scope", "recruitscreen", "--name", "ci", "--monthly-cap", "9", "--days", "7"
    )
    key = verify(database_url, secret)
    assert (key.account_id, key.scope, key.name, key.monthly_cap) == (account_id, "recruitscreen", "ci", 9)
    assert key.expires_at is not None
    assert abs(key.expires_at - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    assert verify(database_url, admin("issue-key", account_id)).expires_at is None
    assert "Invalid value" in admin("issue-key", account_id, "--days", "0", exit_code=2)


def test_an_unknown_scope_is_refused(admin: Admin, account_id: str) -> None:
    """No key is created, and the message lists the known scopes."""
    refusal = admin("issue-key", account_id, "--scope", "nosuch", exit_code=2)
    assert "nosuch" in refusal
    assert "recruitscreen" in refusal
    assert "lv_sk_" not in admin("list-keys", account_id)


def test_a_rotated_key_works_until_the_overlap_ends(admin: Admin, account_id: str, database_url: str) -> None:
    """The new key has the same terms and no expiry; the old key expires after the overlap, or at once if it is 0."""
    first = admin("issue-key", account_id, "--scope", "recruitscreen", "--name", "ci", "--monthly-cap", "9")
    second = admin("rotate-key", account_id, verify(database_url, first).id, "--overlap-s", "3600")
    old, new = verify(database_url, first), verify(database_url, second)
    assert second != first
    assert (new.scope, new.name, new.monthly_cap, new.expires_at) == ("recruitscreen", "ci", 9, None)
    assert old.expires_at is not None
    assert abs(old.expires_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    third = admin("rotate-key", account_id, new.id, "--overlap-s", "0")
    assert verify(database_url, third).name == "ci"
    with pytest.raises(Unauthorized):
        verify(database_url, second)


def test_a_rotation_may_set_another_end(admin: Admin, account_id: str, database_url: str) -> None:
    """The new key keeps the old one's end, or ends when `--expires-at` says, or never with `--no-expiry`."""
    first = admin("issue-key", account_id, "--days", "9")
    old = verify(database_url, first)
    kept = admin("rotate-key", account_id, old.id)
    assert verify(database_url, kept).expires_at == old.expires_at
    moved = admin("rotate-key", account_id, verify(database_url, kept).id, "--expires-at", "2126-06-30")
    assert verify(database_url, moved).expires_at == datetime(2126, 6, 30, tzinfo=UTC)
    endless = admin("rotate-key", account_id, verify(database_url, moved).id, "--no-expiry")
    assert verify(database_url, endless).expires_at is None
    key_id = verify(database_url, endless).id
    for end in ("2020-01-01", "9999-12-31", "tomorrow"):
        assert "Invalid value" in admin("rotate-key", account_id, key_id, "--expires-at", end, exit_code=2)
    assert "not both" in admin(
        "rotate-key", account_id, key_id, "--expires-at", "2126-06-30", "--no-expiry", exit_code=2
    )


HOSTILE = [
    ("open-account", "x" * 201),
    ("open-account", "not UTF-8: \udcff"),
    ("open-account", "A customer", "--credits", str(2**31)),
    ("grant", "{account}", str(2**31)),
    ("grant", "{account}", "1", "--days", str(10**9)),
    ("grant", "{account}", "1", "--reason", "x" * 201),
    ("grant", "acc_unknown", "1"),
    ("grant", "\udcff", "1"),
    ("issue-key", "acc_unknown"),
    ("issue-key", "{account}", "--name", "\udcff"),
    ("issue-key", "{account}", "--days", "3000000"),
    ("issue-key", "{account}", "--monthly-cap", str(2**31)),
    ("list-keys", "acc_unknown"),
    ("revoke-key", "\udcff", "key"),
    ("rotate-key", "{account}", "\udcff"),
    ("rotate-key", "{account}", "key", "--overlap-s", str(10**20)),
]


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_what_cannot_be_stored_is_refused_in_words(
    database_url: str, account_id: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """The command exits with 1 or 2 and a message, without a traceback."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = CliRunner().invoke(app, [word.format(account=account_id) for word in words])
    assert done.exit_code in {1, 2}
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.output.strip()


def test_a_key_of_another_account_is_not_rotated(admin: Admin, account_id: str, database_url: str) -> None:
    """The command exits with 1 and a message, and the key stays valid without expiry."""
    secret = admin("issue-key", account_id)
    other = admin("open-account", "Another customer")
    key_id = verify(database_url, secret).id
    assert "Traceback" not in admin("rotate-key", other, key_id, exit_code=1)
    assert verify(database_url, secret).expires_at is None


def test_a_database_that_is_not_running_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exits with 1 and says what to do, without a traceback: `make run` leaves its URL when it stops."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    (tmp_path / "database_url").write_text(f"postgresql://postgres:@/postgres?host={tmp_path}")
    done = CliRunner().invoke(app, ["list-accounts"])
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert "Start it with `make run`, or set DATABASE_URL." in done.output


def test_without_a_database_url_the_command_says_how_to_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither DATABASE_URL nor a note of `make run`: the command exits with 2."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    done = CliRunner().invoke(app, ["list-accounts"])
    assert done.exit_code == 2
    assert "Set DATABASE_URL" in done.output


def test_an_operator_brings_people_in_and_out(
    admin: Admin, account_id: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invitation, a reset and a sign-in are links under PUBLIC_URL; a removed member is gone."""
    monkeypatch.setenv("PUBLIC_URL", "https://rs.example/")
    invitation = admin("invite-member", account_id, "Ada@Example.com", "--role", "recruiter")
    assert invitation.startswith("https://rs.example/links/")
    asyncio.run(_accept(database_url, invitation.rpartition("/")[2]))
    listed = admin("list-members", account_id)
    assert "ada@example.com" in listed
    assert "recruiter" in listed
    for command in ("reset-link", "sign-in-link"):
        assert admin(command, "ada@example.com").startswith("https://rs.example/links/")
    refusal = admin("remove-member", "nobody@example.com", exit_code=1)
    assert "No member has this address" in refusal
    admin("remove-member", "ada@example.com")
    assert "ada@example.com" not in admin("list-members", account_id)


async def _accept(database_url: str, secret: str) -> None:
    database = Database(database_url, pool_size=1)
    await links.accept_invitation(database, secret, "seven lamps over copper hills")
    await database.close()
