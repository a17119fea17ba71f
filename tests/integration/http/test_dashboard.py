"""The pages where people make keys."""

import hashlib
import re

import httpx
from sqlmodel import select

from serve_app.keys.models import ApiKey
from serve_app.services import Services
from tests.support.calls import error
from tests.support.world import Customer, new_customer

PAGE = "/dashboard/keys"
SECRET = re.compile(r"lv_sk_[a-z]+_[0-9A-Za-z]{32}")


async def signed_in(client: httpx.AsyncClient, customer: Customer) -> str:
    """Sign in; returns the token that forms carry."""
    answer = await client.post(f"{PAGE}/sign-in", data={"api_key": customer.secret})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    page = await client.get(PAGE)
    return re.search(r'name="form_token" value="([^"]+)"', page.text)[1]  # type: ignore[index]


async def test_keys_are_made_shown_once_rotated_and_revoked_on_the_page(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """The whole life of a key, and its secret on no page but the one that answers its making."""
    token = await signed_in(client, customer)
    assert "<strong>100</strong>" in (await client.get(PAGE)).text
    form = {"form_token": token, "name": "<b>CI</b>", "scope": "recruitscreen", "monthly_cap": "5", "days": "30"}
    made = await client.post(f"{PAGE}/create", data=form)
    secret = SECRET.search(made.text)[0]  # type: ignore[index]
    assert "&lt;b&gt;CI&lt;/b&gt;" in made.text
    assert not SECRET.search((await client.get(PAGE)).text)
    api = {"Authorization": f"Bearer {secret}"}
    assert (await client.get("/v1/credits", headers=api)).status_code == 200
    listed = (await client.get("/v1/keys", headers=customer.headers)).json()
    assert (listed[0]["scope"], listed[0]["monthly_cap"]) == ("recruitscreen", 5)

    rotated = await client.post(f"{PAGE}/{listed[0]['key_id']}/rotate", data={"form_token": token})
    new = SECRET.search(rotated.text)[0]  # type: ignore[index]
    assert new != secret
    assert (await client.get("/v1/credits", headers=api)).status_code == 200
    assert (await client.post(f"{PAGE}/{listed[0]['key_id']}/revoke", data={"form_token": token})).status_code == 303
    assert (await client.get("/v1/credits", headers=api)).status_code == 401


async def test_only_a_keys_hash_is_stored(services: Services, customer: Customer) -> None:
    """The row has the SHA-256 of the raw key, and nowhere more of it than the prefix that lists show."""
    async with services.database.transaction() as session:
        row = (await session.exec(select(ApiKey))).one()
    assert row.sha256 == hashlib.sha256(customer.secret.encode()).hexdigest()
    assert customer.secret not in str(row.model_dump())


async def test_only_a_live_key_for_all_products_signs_in(client: httpx.AsyncClient, services: Services) -> None:
    """Others see the form again, and why."""
    narrow = await new_customer(services.database, scope="recruitscreen")
    for secret, status in (("", 401), ("nonsense\0", 401), (narrow.secret, 403)):
        answer = await client.post(f"{PAGE}/sign-in", data={"api_key": secret})
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers
        assert 'name="api_key"' in answer.text


async def test_a_session_is_a_cookie_no_script_and_no_other_site_can_use(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """HttpOnly, SameSite, signed, without the key in it; Secure where the API is reached by https."""
    services.settings.public_url = "https://api.example.com"
    answer = await client.post(f"{PAGE}/sign-in", data={"api_key": customer.secret})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/dashboard"} <= set(cookie.split("; "))
    assert customer.secret not in cookie
    page = await client.get(PAGE, headers={"Cookie": "rs_session=forged"})
    assert 'name="api_key"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_a_form_without_the_sessions_token_does_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Neither without one nor with one of somebody else."""
    await signed_in(client, customer)
    for form in ({}, {"form_token": "x"}, {"form_token": "é"}):
        refused = await client.post(f"{PAGE}/create", data=form)
        assert (refused.status_code, error(refused)) == (422, "invalid_request")
    assert len((await client.get("/v1/keys", headers=customer.headers)).json()) == 1


async def test_a_session_ends_with_its_key_and_with_signing_out(client: httpx.AsyncClient, customer: Customer) -> None:
    """After either the page asks for a key again."""
    token = await signed_in(client, customer)
    await client.post(f"{PAGE}/sign-out", data={"form_token": token})
    assert 'name="api_key"' in (await client.get(PAGE)).text
    token = await signed_in(client, customer)
    key_id = (await client.get("/v1/keys", headers=customer.headers)).json()[0]["key_id"]
    await client.post(f"{PAGE}/{key_id}/revoke", data={"form_token": token})
    assert 'name="api_key"' in (await client.get(PAGE)).text


async def test_another_accounts_key_cannot_be_touched_from_the_page(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """404, and it lives on."""
    token = await signed_in(client, customer)
    stranger = await new_customer(services.database)
    key_id = (await client.get("/v1/keys", headers=stranger.headers)).json()[0]["key_id"]
    for what in ("rotate", "revoke"):
        assert (await client.post(f"{PAGE}/{key_id}/{what}", data={"form_token": token})).status_code == 404
    assert (await client.get("/v1/keys", headers=stranger.headers)).status_code == 200


async def test_signing_in_is_limited_by_address(client: httpx.AsyncClient, services: Services) -> None:
    """429 after twenty tries a minute."""
    services.settings.trusted_proxies = 1
    guesser = {"X-Forwarded-For": "198.51.100.7"}
    answers = [await client.post(f"{PAGE}/sign-in", data={"api_key": "x"}, headers=guesser) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
