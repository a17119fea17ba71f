"""Signing in: by e-mail and password, by links that work once, and what a session is."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, update
from sqlmodel import col, select

from serve_app.accounts import links, members
from serve_app.accounts.actors import Role
from serve_app.accounts.models import BrowserSession, LinkKind, Member, OneTimeLink
from serve_app.http.pages.visitors import COOKIE
from serve_app.services import Services
from tests.support.visitors import PASSWORD, as_actor, new_member
from tests.support.world import Customer, new_customer

BROWSER = {"Accept": "text/html"}
ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def own_address(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """Limits count by address: each test has its own."""
    services.settings.trusted_proxies = 1
    client.headers["X-Forwarded-For"] = customer.account_id


async def invitation(services: Services, customer: Customer, role: Role = Role.RECRUITER, email: str = ADA) -> str:
    """The path of a new invitation."""
    async with services.database.transaction() as session:
        return f"/links/{await links.invite(session, customer.actor, email, role)}"


async def link_for(services: Services, member: Member, kind: LinkKind) -> str:
    """The path of a new link for a member."""
    async with services.database.transaction() as session:
        actor = Customer(member.account_id, "").actor
        return f"/links/{await links.make_for_member(session, actor, member.id, kind)}"


async def is_signed_in(client: httpx.AsyncClient) -> bool:
    """Whether the client sees the list of interviews."""
    return "<h1>Interviews</h1>" in (await client.get("/interviews")).text


async def test_an_invited_person_joins_with_a_password_and_signs_in_with_it(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The invitation names account and role, makes the member signed in, and works once; the password works after."""
    path = await invitation(services, customer)
    page = await client.get(path)
    assert "Join A customer" in page.text
    assert "recruiter" in page.text
    assert page.headers["cache-control"] == "no-store"
    joined = await client.post(path, data={"password": PASSWORD})
    assert (joined.status_code, joined.headers["location"]) == (303, "/interviews")
    assert await is_signed_in(client)
    client.cookies.clear()
    assert (await client.post(path, data={"password": PASSWORD})).status_code == 404
    signed_in = await client.post("/sign-in", data={"email": " Ada@Example.com", "password": PASSWORD})
    assert signed_in.status_code == 303
    assert await is_signed_in(client)


async def test_wrong_password_and_unknown_address_get_the_same_answer(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """401 without a cookie, whether the address is known, has no password, or is unknown."""
    await new_member(services, customer.account_id, Role.VIEWER, ADA, PASSWORD)
    await new_member(services, customer.account_id, Role.VIEWER, "linked@example.com")
    answers = [
        await client.post("/sign-in", data={"email": email, "password": "wrong password"})
        for email in (ADA, "linked@example.com", "nobody@example.com", "no\0body@example.com")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert not [answer for answer in answers if "set-cookie" in answer.headers]
    messages = {re.search(r'role="status">([^<]+)', answer.text)[1] for answer in answers}  # type: ignore[index]
    assert len(messages) == 1


@pytest.mark.parametrize("password", ["", "short", "passwordpassword", "123456789012", "ada@example.com"])
async def test_a_weak_password_is_refused_and_the_link_stays(
    client: httpx.AsyncClient, services: Services, customer: Customer, password: str
) -> None:
    """Too short, common, or the address itself: 422 with the reason, and the invitation can still be accepted."""
    path = await invitation(services, customer)
    refused = await client.post(path, data={"password": password})
    assert refused.status_code == 422
    assert "password" in refused.text
    assert (await client.post(path, data={"password": PASSWORD})).status_code == 303


async def test_a_reset_link_sets_the_password_and_ends_other_sessions(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The old password and the old sessions are over; the link does not work again."""
    member = await new_member(services, customer.account_id, Role.VIEWER, ADA, PASSWORD)
    await as_actor(client, services, member.actor)
    before = client.cookies[COOKIE]
    path = await link_for(services, member, LinkKind.RESET)
    client.cookies.clear()
    assert (await client.post(path, data={"password": "another long phrase 57"})).status_code == 303
    assert await is_signed_in(client)
    assert (await client.post(path, data={"password": PASSWORD})).status_code == 404
    client.cookies.clear()
    client.cookies.set(COOKIE, before)
    assert not await is_signed_in(client)
    client.cookies.clear()
    assert (await client.post("/sign-in", data={"email": ADA, "password": PASSWORD})).status_code == 401


async def test_a_sign_in_link_opens_the_app_once_and_only_by_its_form(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Fetching the link, as programs that check mails do, does not use it up."""
    member = await new_member(services, customer.account_id, Role.OWNER)
    path = await link_for(services, member, LinkKind.SIGN_IN)
    for _ in range(2):
        assert "Sign in as" in (await client.get(path)).text
    assert not await is_signed_in(client)
    assert (await client.post(path)).status_code == 303
    assert await is_signed_in(client)
    client.cookies.clear()
    assert (await client.post(path)).status_code == 404
    assert "used already, or has expired" in (await client.get(path, headers=BROWSER)).text


async def test_expired_links_and_sessions_are_over(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """After its time neither opens anything."""
    member = await new_member(services, customer.account_id, Role.OWNER)
    path = await link_for(services, member, LinkKind.SIGN_IN)
    await as_actor(client, services, member.actor)
    assert await is_signed_in(client)
    async with services.database.transaction() as session:
        await session.exec(update(OneTimeLink).values(expires_at=func.now()))
        await session.exec(update(BrowserSession).values(expires_at=func.now()))
    assert not await is_signed_in(client)
    assert (await client.post(path)).status_code == 404


async def test_only_hashes_of_secrets_are_stored(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Neither the cookie's secret, nor a link's, nor a password is in the database."""
    path = await invitation(services, customer)
    other = await invitation(services, customer, email="bob@example.com")
    await client.post(path, data={"password": PASSWORD})
    async with services.database.transaction() as session:
        tables = (BrowserSession, OneTimeLink, Member)
        rows = [row.model_dump() for table in tables for row in (await session.exec(select(table))).all()]
    assert len(rows) == 3
    assert not [
        secret for secret in (client.cookies[COOKIE], other.rpartition("/")[2], PASSWORD) if secret in str(rows)
    ]
    assert "$argon2id$" in str(rows)


async def test_a_removed_member_is_out_at_once(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The session ends with the member, and so do the links that were made for it."""
    member = await new_member(services, customer.account_id, Role.RECRUITER)
    path = await link_for(services, member, LinkKind.SIGN_IN)
    await as_actor(client, services, member.actor)
    assert await is_signed_in(client)
    async with services.database.transaction() as session:
        await members.remove(session, customer.actor, member.id)
    assert not await is_signed_in(client)
    assert (await client.post(path)).status_code == 404


async def test_a_new_role_counts_from_the_next_request(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """No new sign-in is needed, neither to gain a right nor to lose one."""
    member = await new_member(services, customer.account_id, Role.VIEWER)
    await as_actor(client, services, member.actor)
    assert (await client.get("/dashboard/keys")).status_code == 403
    for role, status in ((Role.OWNER, 200), (Role.RECRUITER, 403)):
        async with services.database.transaction() as session:
            await session.exec(update(Member).where(col(Member.id) == member.id).values(role=role))
        assert (await client.get("/dashboard/keys")).status_code == status


async def test_guesses_at_one_address_are_limited_wherever_they_come_from(
    client: httpx.AsyncClient, services: Services
) -> None:
    """The eleventh attempt within ten minutes gets 429, from eleven different addresses."""
    answers = [
        await client.post(
            "/sign-in",
            data={"email": "guessed@example.com", "password": "x"},
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )
        for number in range(11)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert "Try again in" in answers[-1].text


async def test_another_sites_form_does_not_sign_anybody_in(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A browser tells where a form comes from: from another site it is refused, for passwords, keys and links."""
    foreign = {"Sec-Fetch-Site": "cross-site"}
    path = await link_for(services, await new_member(services, customer.account_id, Role.OWNER), LinkKind.SIGN_IN)
    for target, data in (("/sign-in", {"api_key": customer.secret}), (path, {})):
        refused = await client.post(target, data=data, headers=foreign)
        assert refused.status_code == 422
        assert "set-cookie" not in refused.headers


async def test_an_address_belongs_to_one_account(services: Services, customer: Customer) -> None:
    """Inviting a member's address fails, also from another account; a second invitation replaces the first."""
    await new_member(services, customer.account_id, Role.OWNER, ADA)
    stranger = await new_customer(services.database)
    with pytest.raises(Exception, match="is a member already"):
        await invitation(services, stranger)
    await invitation(services, stranger, email="bob@example.com")
    await invitation(services, stranger, email="bob@example.com")
    async with services.database.transaction() as session:
        (open_,) = await links.list_invitations(session, stranger.actor)
    assert open_.expires_at - datetime.now(UTC) > timedelta(days=6)
