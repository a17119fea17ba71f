"""The usage page: the picture and the sums are those of the API, and so is the CSV; the ledger is in words."""

import re
from datetime import UTC, datetime, timedelta

import httpx

from serve_app.jobs.models import Job
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.pages import signed_in
from tests.support.world import Customer, new_customer

PAGE = "/dashboard/usage"


async def test_a_bar_shows_what_was_spent_on_its_day(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Two keys on two days: the highest bar is the dearest day, and each part names day, key and credits."""
    named = await client.post("/v1/keys", json={"name": "CI <1>"}, headers=customer.headers)
    other = Customer(customer.account_id, named.json()["api_key"])
    await submit(client, customer, seconds=61)
    earlier = (await submit(client, other, seconds=2)).json()["job_id"]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with services.database.transaction() as session:
        job = await session.get_one(Job, earlier)
        job.created_at = yesterday
        session.add(job)
    await signed_in(client, customer)
    page = (await client.get(PAGE)).text
    assert "Most on a day: 2 credits" in page
    assert f"{datetime.now(UTC):%Y-%m-%d}, " in page
    assert f"{yesterday:%Y-%m-%d}, CI &lt;1&gt;: 1 credits" in page
    assert sorted(re.findall(r'height="([\d.]+)"><title>', page)) == ["100.0", "50.0"]
    by_product = (await client.get(PAGE, params={"by": "product"})).text
    assert f"{yesterday:%Y-%m-%d}, RecruitScreen: 1 credits" in by_product


async def test_returned_credits_are_not_in_the_bars(client: httpx.AsyncClient, customer: Customer) -> None:
    """A canceled job leaves an empty picture, and its charge and return stay in the ledger, in words."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    await signed_in(client, customer)
    page = (await client.get(PAGE)).text
    assert "No credits were spent in this period" in page
    assert "<strong>Charged</strong>: accepted a recording of 2 s" in page
    assert "<strong>Returned</strong>: canceled before a model had begun" in page
    assert f'href="/interviews/{job_id}"' in page


async def test_the_csv_is_that_of_the_api(client: httpx.AsyncClient, customer: Customer) -> None:
    """Byte for byte, under the same name."""
    await submit(client, customer)
    await signed_in(client, customer)
    saved = await client.get(f"{PAGE}.csv")
    api = await client.get("/v1/usage", params={"format": "csv"}, headers=customer.headers)
    assert (saved.text, saved.headers["content-disposition"]) == (api.text, api.headers["content-disposition"])


async def test_a_wrong_period_is_explained_in_place(client: httpx.AsyncClient, customer: Customer) -> None:
    """The page says what is wrong and shows the last 30 days."""
    await signed_in(client, customer)
    page = await client.get(PAGE, params={"from": "2026-02-01", "to": "2026-01-01"})
    assert (page.status_code, "Send an earlier" in page.text) == (200, True)


async def test_the_ledger_has_pages(client: httpx.AsyncClient, customer: Customer) -> None:
    """26 movements are on two pages."""
    for _ in range(25):
        await submit(client, customer)
    await signed_in(client, customer)
    first = (await client.get(PAGE)).text
    older = re.search(r'href="([^"]+)#ledger">Older', first)[1].replace("&amp;", "&")  # type: ignore[index]
    second = (await client.get(older)).text
    assert (first.count("<strong>Charged</strong>"), second.count("<strong>Added</strong>")) == (25, 1)


async def test_usage_is_the_accounts_own(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """Another account sees nothing of it, and a stranger is asked to sign in."""
    await submit(client, customer)
    assert "Ledger" not in (await client.get(PAGE)).text
    await signed_in(client, await new_customer(services.database))
    page = (await client.get(PAGE)).text
    assert "No credits were spent" in page
    assert "Charged" not in page.split('id="ledger"')[1]
