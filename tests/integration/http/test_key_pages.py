"""The dashboard's keys page: sign in, create, rotate and revoke keys."""

import hashlib
import re

import httpx
from sqlmodel import select

from serve_app.accounts import sessions
from serve_app.keys.models import ApiKey
from serve_app.services import Services
from tests.support.calls import error
from tests.support.world import Customer, new_customer

PAGE = "/dashboard/keys"


SECRET = re.compile(r"lv_sk_[a-z]+_[0-9A-Za-z]{32}")


async def signed_in(client: httpx.AsyncClient, customer: Customer) -> str:
    """Sign in. Returns the token that forms carry."""
    answer = await client.post("/sign-in", data={"api_key": customer.secret, "next": PAGE})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    page = await client.get(PAGE)
    return re.search(r'name="form_token" value="([^"]+)"', page.text)[1]  # type: ignore[index]


async def test_keys_are_created_shown_once_rotated_and_revoked_on_the_page(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A key goes through its whole life, and only the page that creates it shows its secret."""
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
    """The row holds the SHA-256 of the key and its public prefix, nothing more of it."""
    async with services.database.transaction() as session:
        row = (await session.exec(select(ApiKey))).one()
    assert row.sha256 == hashlib.sha256(customer.secret.encode()).hexdigest()
    assert customer.secret not in str(row.model_dump())


async def test_only_a_live_key_of_scope_all_signs_in(client: httpx.AsyncClient, services: Services) -> None:
    """Other keys get the form again, with the reason."""
    narrow = await new_customer(services.database, scope="recruitscreen")
    for secret, status in (("", 401), ("nonsense\0", 401), (narrow.secret, 403)):
        answer = await client.post("/sign-in", data={"api_key": secret})
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers
        assert 'name="api_key"' in answer.text


async def test_the_session_cookie_is_http_only_same_site_and_signed(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The cookie is HttpOnly, SameSite and signed, Secure under https, and does not contain the key."""
    services.settings.public_url = "https://api.example.com"
    answer = await client.post("/sign-in", data={"api_key": customer.secret, "next": PAGE})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= set(cookie.split("; "))
    assert customer.secret not in cookie
    page = await client.get(PAGE, headers={"Cookie": "rs_session=forged"})
    assert 'name="api_key"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_a_form_without_the_sessions_token_is_refused(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A form with no token or a wrong one gets 422 and changes nothing."""
    await signed_in(client, customer)
    for form in ({}, {"form_token": "x"}, {"form_token": "é"}):
        refused = await client.post(f"{PAGE}/create", data=form)
        assert (refused.status_code, error(refused)) == (422, "invalid_request")
    assert len((await client.get("/v1/keys", headers=customer.headers)).json()) == 1


async def test_a_session_ends_with_its_key_and_with_signing_out(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """After sign-out or revocation the page asks for a key, and no session is listed."""
    token = await signed_in(client, customer)
    await client.post("/sign-out", data={"form_token": token})
    assert 'name="api_key"' in (await client.get(PAGE)).text
    token = await signed_in(client, customer)
    key_id = (await client.get("/v1/keys", headers=customer.headers)).json()[0]["key_id"]
    await client.post(f"{PAGE}/{key_id}/revoke", data={"form_token": token})
    assert 'name="api_key"' in (await client.get(PAGE)).text
    async with services.database.transaction() as session:
        assert not await sessions.list_sessions(session, customer.actor)


async def test_another_accounts_key_cannot_be_touched_from_the_page(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Rotating or revoking another account's key gets 404, and the key still works."""
    token = await signed_in(client, customer)
    stranger = await new_customer(services.database)
    key_id = (await client.get("/v1/keys", headers=stranger.headers)).json()[0]["key_id"]
    for what in ("rotate", "revoke"):
        assert (await client.post(f"{PAGE}/{key_id}/{what}", data={"form_token": token})).status_code == 404
    assert (await client.get("/v1/keys", headers=stranger.headers)).status_code == 200


async def test_signing_in_is_limited_by_address(client: httpx.AsyncClient, services: Services) -> None:
    """The 21st attempt within a minute gets 429."""
    services.settings.trusted_proxies = 1
    guesser = {"X-Forwarded-For": "198.51.100.7"}
    answers = [await client.post("/sign-in", data={"api_key": "x"}, headers=guesser) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
