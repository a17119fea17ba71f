"""What the first start makes: an account with a key, and an owner who comes in by a link."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlmodel import col, select

from scripts.launcher.__main__ import announce, console
from scripts.launcher.first_account import OWNER, first_key, sign_in_link
from serve_app.accounts.actors import Role
from serve_app.accounts.models import Member
from serve_app.services import Services


async def test_the_printed_link_opens_the_app_signed_in(
    client: httpx.AsyncClient, services: Services, database_url: str, tmp_path: Path
) -> None:
    """Each start prints a link of its own for the same owner; each works once."""
    key = await asyncio.to_thread(first_key, database_url, tmp_path / "quickstart.json")
    for _ in range(2):
        link = await asyncio.to_thread(sign_in_link, database_url, "http://test", key)
        client.cookies.clear()
        assert (await client.post(link)).headers["location"] == "/interviews"
        assert OWNER in (await client.get("/settings")).text
        assert (await client.post(link)).status_code == 404


async def test_a_start_that_lost_its_key_makes_an_owner_of_its_own(
    services: Services, database_url: str, tmp_path: Path
) -> None:
    """The address of the first owner belongs to the first account, so the second gets another."""
    for _ in range(2):
        key = await asyncio.to_thread(first_key, database_url, tmp_path / "no quickstart.json")
        await asyncio.to_thread(sign_in_link, database_url, "http://test", key)
    async with services.database.transaction() as session:
        first, second = (await session.exec(select(Member).order_by(col(Member.created_at)))).all()
    assert (first.email, first.role, second.role) == (OWNER, Role.OWNER, Role.OWNER)
    assert second.email == f"{second.account_id}@localhost"
    assert first.account_id != second.account_id


def test_the_link_is_printed_on_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow the terminal: a link that is broken in two cannot be clicked."""
    link = f"http://127.0.0.1:8000/links/{'x' * 43}"
    monkeypatch.setattr(console, "width", 40)
    addresses = dict.fromkeys(("base_url", "dashboard_url", "ray_dashboard_url", "api_key"), "http://127.0.0.1:8000")
    announce(addresses, link)
    assert link in capsys.readouterr().out
