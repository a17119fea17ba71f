"""Keys, credits, limits and demos over the API."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from deployments.replica.local_pool import LocalPool
from serve_app.credits import ledger
from serve_app.credits.models import LedgerEntry
from serve_app.executor import Executor
from serve_app.http.pages.error_codes import public_errors
from serve_app.keys.models import ApiKey
from serve_app.services import Services
from tests.support.calls import JOBS, error, submit
from tests.support.world import Customer, new_customer, tone


async def make_key(client: httpx.AsyncClient, customer: Customer, **terms: object) -> dict[str, str]:
    response = await client.post("/v1/keys", json=terms, headers=customer.headers)
    assert response.status_code == 201, response.text
    return dict(response.json())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_key_is_shown_once(client: httpx.AsyncClient, customer: Customer) -> None:
    """The list shows its prefix, never its secret."""
    made = await make_key(client, customer, scope="recruitscreen", name="CI")
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 200
    listed = (await client.get("/v1/keys", headers=customer.headers)).json()
    assert [key["name"] for key in listed] == ["CI", ""]
    assert made["api_key"].startswith(listed[0]["prefix"])
    assert made["api_key"] not in str(listed)
    assert listed[0]["last_used_at"] is not None


async def test_a_products_key_cannot_manage_keys(client: httpx.AsyncClient, customer: Customer) -> None:
    """Or it could give itself more than it has."""
    made = await make_key(client, customer, scope="recruitscreen")
    response = await client.post("/v1/keys", json={}, headers=bearer(made["api_key"]))
    assert (response.status_code, error(response)) == (403, "wrong_scope")


async def test_a_rotated_key_works_for_the_overlap(client: httpx.AsyncClient, customer: Customer) -> None:
    """Old and new at first; with no overlap only the new one."""
    made = await make_key(client, customer, name="rotating", monthly_cap=50)
    new = (await client.post(f"/v1/keys/{made['key_id']}/rotate", json={}, headers=customer.headers)).json()
    assert (new["name"], new["monthly_cap"]) == ("rotating", 50)
    for secret in (made["api_key"], new["api_key"]):
        assert (await client.get("/v1/jobs", headers=bearer(secret))).status_code == 200
    rotated = await client.post(f"/v1/keys/{new['key_id']}/rotate", json={"overlap_s": 0}, headers=customer.headers)
    assert (await client.get("/v1/jobs", headers=bearer(new["api_key"]))).status_code == 401
    assert (await client.get("/v1/jobs", headers=bearer(rotated.json()["api_key"]))).status_code == 200


async def test_a_revoked_key_opens_nothing(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """From now on; and nobody can revoke another account's."""
    made = await make_key(client, customer)
    stranger = await new_customer(services.database)
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=stranger.headers)).status_code == 404
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=customer.headers)).status_code == 204
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 401
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=customer.headers)).status_code == 404


async def test_a_key_expires(client: httpx.AsyncClient, customer: Customer, services: Services) -> None:
    """And cannot be made in the past."""
    made = await make_key(client, customer, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 200
    an_hour_on = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    async with services.database.transaction() as session:
        await session.exec(update(ApiKey).where(col(ApiKey.id) == made["key_id"]).values(**an_hour_on))
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 401
    past = await client.post("/v1/keys", json={"expires_at": "2020-01-01T00:00:00Z"}, headers=customer.headers)
    assert (past.status_code, past.json()["detail"]["field"]) == (422, "expires_at")


async def test_a_monthly_cap_holds(client: httpx.AsyncClient, customer: Customer) -> None:
    """402 for this key although the account has credits; other keys go on."""
    made = await make_key(client, customer, monthly_cap=2)
    capped = Customer(customer.account_id, made["api_key"])
    assert (await submit(client, capped, seconds=61)).status_code == 202
    refused = await submit(client, capped)
    assert (refused.status_code, error(refused)) == (402, "key_cap_reached")
    assert (await submit(client, customer)).status_code == 202


async def test_the_ledger_adds_up(client: httpx.AsyncClient, customer: Customer) -> None:
    """Every movement is listed, and their sum is the balance."""
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
    balance = (await client.get("/v1/credits", headers=customer.headers)).json()["balance"]
    assert balance == sum(row["credits"] for row in rows) == 99


async def test_what_is_left_of_an_expired_grant_is_taken_back(client: httpx.AsyncClient, services: Services) -> None:
    """Spent credits are not: of 5 expiring and 3 lasting, 2 were spent, so 3 remain."""
    customer = await new_customer(services.database, credits_=3)
    async with services.database.transaction() as session:
        await ledger.grant(session, customer.account_id, 5, "trial", datetime.now(UTC) + timedelta(hours=1))
    assert (await submit(client, customer, seconds=61)).json()["credits_remaining"] == 6
    async with services.database.transaction() as session:
        trial = col(LedgerEntry.reason) == "trial"
        await session.exec(update(LedgerEntry).where(trial).values(expires_at=datetime.now(UTC)))
    for _ in range(2):
        assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 3


async def test_a_key_has_a_rate_limit(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """The headers count down; then 429 says when to come back."""
    services.settings.rate_limit = "3/minute"
    answers = [await client.get("/v1/credits", headers=customer.headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"per-key";q=3;w=60'
    assert answers[2].headers["ratelimit"].startswith('"per-key";r=0;t=')
    assert error(answers[3]) == "rate_limited"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


async def test_anonymous_demos_are_limited_and_free(
    client: httpx.AsyncClient, services: Services, pool: LocalPool
) -> None:
    """Three an hour from one address; each opens with its own token; the fourth gets 429 with Retry-After."""
    answers = []
    for _ in range(4):
        files = {"file": ("call.wav", tone(1))}
        answers.append(await client.post(f"/v1/demo{JOBS[3:]}", data={"role_title": "x"}, files=files))
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[3].headers["retry-after"]) > 0
    demo = answers[0].json()
    assert demo["credits_charged"] == 0
    await Executor(services, pool).run(demo["job_id"])
    assert (await client.get(demo["status_url"])).json()["status"] == "completed"
    assert (await client.get(f"/v1/jobs/{demo['job_id']}")).status_code == 401


@pytest.mark.parametrize("code", sorted(cls.code for cls in public_errors()))
async def test_every_error_code_has_its_place_on_the_error_page(client: httpx.AsyncClient, code: str) -> None:
    """`docs_url` leads to an address that exists."""
    page = await client.get("/docs/errors")
    assert page.status_code == 200
    assert f'id="{code}"' in page.text
