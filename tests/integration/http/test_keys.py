"""Keys over the API: creation, scope, rotation, revocation, expiry, caps and rate limits."""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import update
from sqlmodel import col

from serve_app.keys.models import ApiKey
from serve_app.services import Services
from tests.support.calls import error, submit
from tests.support.world import Customer, new_customer


async def make_key(client: httpx.AsyncClient, customer: Customer, **terms: object) -> dict[str, str]:
    response = await client.post("/v1/keys", json=terms, headers=customer.headers)
    assert response.status_code == 201, response.text
    return dict(response.json())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_key_is_shown_once(client: httpx.AsyncClient, customer: Customer) -> None:
    """A list shows a key's prefix, never its secret."""
    made = await make_key(client, customer, scope="recruitscreen", name="CI")
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 200
    listed = (await client.get("/v1/keys", headers=customer.headers)).json()
    assert [key["name"] for key in listed] == ["CI", ""]
    assert made["api_key"].startswith(listed[0]["prefix"])
    assert made["api_key"] not in str(listed)
    assert listed[0]["last_used_at"] is not None


async def test_a_products_key_cannot_manage_keys(client: httpx.AsyncClient, customer: Customer) -> None:
    """A key of one product gets 403 on /v1/keys."""
    made = await make_key(client, customer, scope="recruitscreen")
    response = await client.post("/v1/keys", json={}, headers=bearer(made["api_key"]))
    assert (response.status_code, error(response)) == (403, "wrong_scope")


async def test_a_rotated_key_works_for_the_overlap(client: httpx.AsyncClient, customer: Customer) -> None:
    """Both keys work during the overlap; with an overlap of 0 only the new one does."""
    made = await make_key(client, customer, name="rotating", monthly_cap=50)
    new = (await client.post(f"/v1/keys/{made['key_id']}/rotate", json={}, headers=customer.headers)).json()
    assert (new["name"], new["monthly_cap"]) == ("rotating", 50)
    for secret in (made["api_key"], new["api_key"]):
        assert (await client.get("/v1/jobs", headers=bearer(secret))).status_code == 200
    rotated = await client.post(f"/v1/keys/{new['key_id']}/rotate", json={"overlap_s": 0}, headers=customer.headers)
    assert (await client.get("/v1/jobs", headers=bearer(new["api_key"]))).status_code == 401
    assert (await client.get("/v1/jobs", headers=bearer(rotated.json()["api_key"]))).status_code == 200


async def test_a_rotated_key_keeps_its_end_unless_told_otherwise(client: httpx.AsyncClient, customer: Customer) -> None:
    """The new key ends when the old one would have, at a time that was sent, or never. The past is refused."""
    end, later = "2100-01-01T00:00:00Z", "2101-01-01T00:00:00Z"
    for sent, expected in [({}, end), ({"expires_at": later}, later), ({"expires_at": None}, None)]:
        made = await make_key(client, customer, expires_at=end)
        rotated = await client.post(f"/v1/keys/{made['key_id']}/rotate", json=sent, headers=customer.headers)
        assert (rotated.status_code, rotated.json()["expires_at"]) == (201, expected)
    past = await client.post(
        f"/v1/keys/{made['key_id']}/rotate", json={"expires_at": "2020-01-01T00:00:00Z"}, headers=customer.headers
    )
    assert (past.status_code, past.json()["detail"]["field"]) == (422, "expires_at")


async def test_a_revoked_key_opens_nothing(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """A revoked key gets 401, and another account cannot revoke it."""
    made = await make_key(client, customer)
    stranger = await new_customer(services.database)
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=stranger.headers)).status_code == 404
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=customer.headers)).status_code == 204
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 401
    assert (await client.delete(f"/v1/keys/{made['key_id']}", headers=customer.headers)).status_code == 404


async def test_a_key_expires(client: httpx.AsyncClient, customer: Customer, services: Services) -> None:
    """An expired key gets 401, and a key cannot be created with a past expiry."""
    made = await make_key(client, customer, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 200
    past_expiry = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    async with services.database.transaction() as session:
        await session.exec(update(ApiKey).where(col(ApiKey.id) == made["key_id"]).values(**past_expiry))
    assert (await client.get("/v1/jobs", headers=bearer(made["api_key"]))).status_code == 401
    past = await client.post("/v1/keys", json={"expires_at": "2020-01-01T00:00:00Z"}, headers=customer.headers)
    assert (past.status_code, past.json()["detail"]["field"]) == (422, "expires_at")


async def test_a_monthly_cap_holds(client: httpx.AsyncClient, customer: Customer) -> None:
    """A key over its cap gets 402 while other keys of the account still work."""
    made = await make_key(client, customer, monthly_cap=2)
    capped = Customer(customer.account_id, made["api_key"])
    assert (await submit(client, capped, seconds=61)).status_code == 202
    refused = await submit(client, capped)
    assert (refused.status_code, error(refused)) == (402, "key_cap_reached")
    assert (await submit(client, customer)).status_code == 202


async def test_a_key_has_a_rate_limit(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """The headers count down, then 429 says when to retry."""
    services.settings.rate_limit = "3/minute"
    answers = [await client.get("/v1/credits", headers=customer.headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"per-key";q=3;w=60'
    assert answers[2].headers["ratelimit"].startswith('"per-key";r=0;t=')
    assert error(answers[3]) == "rate_limited"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


async def test_error_responses_carry_rate_limit_headers(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Error responses have RateLimit headers, the 429 itself included."""
    services.settings.rate_limit = "1/minute"
    missing = await client.get("/v1/jobs/job_unknown", headers=customer.headers)
    assert missing.headers["ratelimit"].startswith('"per-key";r=0;t=')
    refused = await client.get("/v1/jobs/job_unknown", headers=customer.headers)
    assert refused.status_code == 429
    assert refused.headers["ratelimit-policy"] == '"per-key";q=1;w=60'
