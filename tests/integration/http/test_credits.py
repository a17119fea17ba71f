"""Credits over the API: ledger, balance, expiring grants, quotes."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from serve_app.credits import ledger
from serve_app.credits.models import LedgerEntry
from serve_app.executor import Executor
from serve_app.model_pool.status import CACHE_S
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.fakes import local_pool
from tests.support.recordings import write_stamped
from tests.support.world import Customer, new_customer, tone


async def test_the_ledger_adds_up(client: httpx.AsyncClient, customer: Customer) -> None:
    """The ledger lists every change, and their sum is the balance."""
    first = (await submit(client, customer, seconds=61)).json()["job_id"]
    await submit(client, customer)
    await client.post(f"/v1/jobs/{first}/cancel", headers=customer.headers)
    rows, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/credits/ledger", params=params, headers=customer.headers)).json()
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [(row["kind"], row["credits"]) for row in rows] == [
        ("release", 2),
        ("charge", -1),
        ("charge", -2),
        ("grant", 100),
    ]
    assert [row["reason"] for row in rows] == [
        "canceled before a model had begun to work",
        "accepted a recording of 2 s",
        "accepted a recording of 61 s",
        "test",
    ]
    balance = (await client.get("/v1/credits", headers=customer.headers)).json()["balance"]
    assert balance == sum(row["credits"] for row in rows) == 99


async def test_what_is_left_of_an_expired_grant_is_taken_back(client: httpx.AsyncClient, services: Services) -> None:
    """Of 5 expiring and 3 lasting credits, 2 are spent: 3 remain after the expiry."""
    customer = await new_customer(services.database, credits_=3)
    async with services.database.transaction() as session:
        await ledger.grant(session, customer.account_id, 5, "trial", datetime.now(UTC) + timedelta(hours=1))
    assert (await submit(client, customer, seconds=61)).json()["credits_remaining"] == 6
    async with services.database.transaction() as session:
        trial = col(LedgerEntry.reason) == "trial"
        await session.exec(update(LedgerEntry).where(trial).values(expires_at=datetime.now(UTC)))
    for _ in range(2):
        assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 3
    expiry = (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"][0]
    assert (expiry["kind"], expiry["reason"]) == ("expiry", "the rest of a grant has expired: trial")


async def balance(client: httpx.AsyncClient, customer: Customer) -> dict[str, int]:
    response = await client.get("/v1/credits", headers=customer.headers)
    return dict(response.json())


async def test_a_quote_costs_nothing(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """A quote from a duration or a recording returns a price and charges nothing."""
    quoted = await client.post("/v1/recruitscreen/quote", data={"duration_s": "412"}, headers=customer.headers)
    assert quoted.json()["credits"] == 7
    assert quoted.json()["cold"] is True
    files = {"file": ("call.wav", tone(61))}
    measured = await client.post("/v1/recruitscreen/quote", files=files, headers=customer.headers)
    assert (measured.json()["credits"], measured.json()["duration_s"]) == (2, 61.0)
    assert await balance(client, customer) == {"balance": 100, "held": 0, "refundable": 0}
    nothing = await client.post("/v1/recruitscreen/quote", data={}, headers=customer.headers)
    assert nothing.status_code == 422


@pytest.mark.parametrize("duration_s", ["14401", "18000", "1e9"])
async def test_a_quote_over_the_limit_is_refused_as_the_upload_is(
    client: httpx.AsyncClient, customer: Customer, duration_s: str
) -> None:
    """A length over the product's limit has no price: 422 with the limit and the value, as for the recording itself."""
    refused = await client.post("/v1/recruitscreen/quote", data={"duration_s": duration_s}, headers=customer.headers)
    detail = refused.json()["detail"]
    assert (refused.status_code, detail["error"]) == (422, "media_too_long")
    assert "240 minutes" in detail["message"]
    assert f"{float(duration_s):.1f} s" in detail["message"]
    longest = await client.post("/v1/recruitscreen/quote", data={"duration_s": "14400"}, headers=customer.headers)
    assert longest.json()["credits"] == 240


async def test_gaps_in_time_stamps_are_not_charged(
    client: httpx.AsyncClient, customer: Customer, tmp_path: Path
) -> None:
    """A recording of 2 s with a gap of 100 s costs one minute, in the quote as in the job."""
    content = write_stamped(tmp_path / "a.mkv", (0, 101), 1.0).read_bytes()
    files = {"file": ("a.mkv", content)}
    quoted = await client.post("/v1/recruitscreen/quote", files=files, headers=customer.headers)
    assert (quoted.json()["credits"], quoted.json()["duration_s"]) == (1, 102.0)
    accepted = await client.post(
        "/v1/recruitscreen/jobs", data={"role_title": "Dev"}, files=files, headers=customer.headers
    )
    assert accepted.json()["credits_charged"] == 1


async def test_a_quote_says_whether_models_are_cold_and_how_long_it_takes(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A quote is cold before the first job and uses the pace of earlier jobs afterwards."""
    quoted = await client.post("/v1/recruitscreen/quote", data={"duration_s": "60"}, headers=customer.headers)
    assert quoted.json() == {"credits": 1, "duration_s": 60.0, "expected_s": 30.0, "cold": True}
    pool = local_pool(services.database)
    await submit(client, customer)
    await Executor(services, pool).run_next()
    for replica in pool.replicas.values():
        await replica.heartbeat()
    await asyncio.sleep(CACHE_S)  # quotes read the cached status of the pool
    warm = await client.post("/v1/recruitscreen/quote", data={"duration_s": "60"}, headers=customer.headers)
    assert warm.json()["cold"] is False
    assert warm.json()["expected_s"] != 30.0
    measured = await client.post(
        "/v1/recruitscreen/quote", files={"file": ("a.wav", tone(2))}, headers=customer.headers
    )
    assert measured.json()["credits"] == 1
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 99
    await pool.close()
