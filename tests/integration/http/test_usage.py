"""Usage, prices and the cost of jobs over the API."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from serve_app.jobs.models import Job
from serve_app.keys import service as keys
from serve_app.keys.service import KeyTerms
from serve_app.services import Services
from tests.support.calls import error, submit
from tests.support.world import Customer, new_customer

TODAY = datetime.now(UTC).date().isoformat()


async def usage(client: httpx.AsyncClient, customer: Customer, **params: Any) -> Any:
    response = await client.get("/v1/usage", params=params, headers=customer.headers)
    assert response.status_code == 200, response.text
    return response.json()


async def key_of(services: Services, customer: Customer, **terms: Any) -> Customer:
    """The same account with another key."""
    async with services.database.transaction() as session:
        issued = await keys.issue(session, customer.actor, KeyTerms(**terms))
    return Customer(customer.account_id, issued.secret)


async def test_usage_is_counted_by_day_key_product_and_state(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Each combination has a row, the total is their sum, and it agrees with the ledger. Others' jobs do not count."""
    ats = await key_of(services, customer, scope="all", name="ATS")
    await submit(client, await new_customer(services.database))
    await submit(client, customer, seconds=61)
    canceled = (await submit(client, ats, seconds=61)).json()["job_id"]
    await submit(client, ats)
    await client.post(f"/v1/jobs/{canceled}/cancel", headers=customer.headers)
    report = await usage(client, customer)
    assert report["total"] == {"jobs": 3, "audio_s": 124.0, "credits_charged": 5, "credits_returned": 2}
    rows = {(row["key_name"], row["status"]): row for row in report["data"]}
    assert {row["day"] for row in report["data"]} == {TODAY}
    assert rows.keys() == {("", "queued"), ("ATS", "queued"), ("ATS", "canceled")}
    assert rows["ATS", "canceled"]["credits_returned"] == rows["ATS", "canceled"]["credits_charged"] == 2
    balance = (await client.get("/v1/credits", headers=customer.headers)).json()["balance"]
    assert balance == 100 - report["total"]["credits_charged"] + report["total"]["credits_returned"]


async def test_rows_have_only_the_columns_they_are_grouped_by(client: httpx.AsyncClient, customer: Customer) -> None:
    """`by` can be repeated; without any job there is no row."""
    assert (await usage(client, customer))["data"] == []
    assert (await usage(client, customer))["total"]["jobs"] == 0
    await submit(client, customer)
    (row,) = (await usage(client, customer, by=["status", "vertical"]))["data"]
    assert row == {
        "vertical": "recruitscreen", "status": "queued",
        "jobs": 1, "audio_s": 2.0, "credits_charged": 1, "credits_returned": 0,
    }  # fmt: skip


async def test_a_day_is_a_day_of_utc_and_both_ends_count(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A job of 23:59:59 UTC counts on that day, whatever the time zone of the database."""
    job_id = (await submit(client, customer)).json()["job_id"]
    async with services.database.transaction() as session:
        late = datetime.fromisoformat("2026-03-31T23:59:59+00:00")
        await session.exec(update(Job).where(col(Job.id) == job_id).values(created_at=late))
    for first, last, found in [("03-31", "03-31", 1), ("03-01", "03-30", 0), ("04-01", "04-30", 0)]:
        report = await usage(client, customer, **{"from": f"2026-{first}", "to": f"2026-{last}"})
        assert [row["day"] for row in report["data"]] == ["2026-03-31"] * found


async def test_a_table_of_usage_reads_back_and_runs_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The CSV holds the same rows. A key's name that is a formula stays text in a spreadsheet."""
    await submit(client, await key_of(services, customer, scope="all", name='=HYPERLINK("x","y"),\n2'))
    response = await client.get("/v1/usage?format=csv", headers=customer.headers)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"-{TODAY}.csv" in response.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(response.text, newline=""))
    assert row.pop("key_id").startswith("key_")
    assert row == {
        "day": TODAY, "key_name": '\'=HYPERLINK("x","y"),\n2', "vertical": "recruitscreen", "status": "queued",
        "jobs": "1", "audio_s": "2.0", "credits_charged": "1", "credits_returned": "0",
    }  # fmt: skip


async def test_a_key_of_one_product_sees_the_usage_of_that_product(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Jobs of other products do not count for it."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await submit(client, customer)
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(vertical="another"))
    assert (await usage(client, customer))["total"]["jobs"] == 2
    narrow = await key_of(services, customer, scope="recruitscreen")
    assert [row["vertical"] for row in (await usage(client, narrow))["data"]] == ["recruitscreen"]


@pytest.mark.parametrize(
    ("params", "field", "told"),
    [
        ({"from": "2026-02-02", "to": "2026-02-01"}, "from", "is after"),
        ({"from": "2025-01-01", "to": "2026-01-02"}, "from", "has 367 days"),
        ({"from": "1999-12-31"}, "from", "2000-01-01"),
        ({"to": "9999-12-31"}, "to", "9000-01-01"),
        ({"by": "month"}, "by.0", "day"),
        ({"since": "2026-01-01"}, "since", "Extra"),
    ],
)
async def test_a_period_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, customer: Customer, params: dict[str, str], field: str, told: str
) -> None:
    """422 with the field, the value and the limit."""
    response = await client.get("/v1/usage", params=params, headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    detail = response.json()["detail"]
    assert detail["field"] == field
    assert told in detail["message"]


async def test_usage_stays_when_the_content_is_erased(client: httpx.AsyncClient, customer: Customer) -> None:
    """A deleted job still counts: its receipt stays."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert (await usage(client, customer))["total"]["jobs"] == 1


async def test_prices_are_public(client: httpx.AsyncClient) -> None:
    """Every product has its price and its limits, without a key."""
    (price,) = (await client.get("/v1/prices")).json()["products"]
    assert (price["vertical"], price["credits_per_minute"], price["max_bytes"]) == ("recruitscreen", 1, 100_000_000)
    assert price["demo"] == {"max_duration_s": 300.0, "max_bytes": 20_000_000, "per_address": "3/hour"}


async def test_every_job_says_what_it_cost_and_why(client: httpx.AsyncClient, customer: Customer) -> None:
    """The reasons are those of the ledger, in the job and in the list."""
    kept, canceled = [(await submit(client, customer, seconds=61)).json()["job_id"] for _ in range(2)]
    answer = await client.post(f"/v1/jobs/{canceled}/cancel", headers=customer.headers)
    returned = {"charged": 2, "returned": 2, "reason": "canceled before a model had begun to work"}
    charged = {"charged": 2, "returned": 0, "reason": "accepted a recording of 61 s"}
    assert answer.json()["cost"] == returned
    assert (await client.get(f"/v1/jobs/{kept}", headers=customer.headers)).json()["cost"] == charged
    listed = (await client.get("/v1/jobs", headers=customer.headers)).json()["data"]
    assert [job["cost"] for job in listed] == [returned, charged]
    reasons = {
        row["reason"] for row in (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"]
    }
    assert {returned["reason"], charged["reason"]} <= reasons
