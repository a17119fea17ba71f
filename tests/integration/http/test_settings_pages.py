"""The pages of settings: password, sessions, members, audit log, and erasing a candidate."""

import re
from collections.abc import Iterable

import httpx
import pytest
from sqlmodel import col, select

from deployments.replica.local_pool import LocalPool
from serve_app.accounts import audit, sessions
from serve_app.accounts.actors import Role
from serve_app.accounts.audit import Action, AuditFilter
from serve_app.accounts.models import Member
from serve_app.executor import Executor
from serve_app.http.pages.audit_log import WORDS
from serve_app.jobs.models import Job, JobState
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.visitors import PASSWORD, as_actor, as_role, new_member
from tests.support.world import Customer, new_customer

MEMBERS = "/settings/members"
LINK = re.compile(r'id="link" class="secret">http://test(/links/[^<]+)')
HOSTILE = "<script>alert(1)</script>"


async def role_of(services: Services, member: Member) -> Role | None:
    """The stored role of a member; None when it is gone."""
    async with services.database.transaction() as session:
        return (await session.exec(select(Member.role).where(col(Member.id) == member.id))).first()


async def logged(services: Services, customer: Customer) -> Iterable[tuple[str, str, str | None]]:
    """Who did what to what, oldest first, without what the test itself prepares."""
    async with services.database.transaction() as session:
        rows = (await audit.list_entries(session, customer.actor, AuditFilter(), None, 100)).rows
    prepared = {Action.MEMBER_JOINED, Action.SESSION_BEGAN}
    return [(row.actor, row.action, row.subject) for row in reversed(rows) if row.action not in prepared]


async def test_an_owner_invites_and_the_page_shows_the_link_once(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The link leads to the invitation; the list shows it as open without the link; withdrawn, it is gone."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    form = {"form_token": token, "email": "ada@example.com", "role": "recruiter"}
    path = LINK.search((await client.post(f"{MEMBERS}/invite", data=form)).text)[1]  # type: ignore[index]
    assert "as <strong>recruiter</strong>" in (await client.get(path)).text
    listed = (await client.get(MEMBERS)).text
    assert "ada@example.com" in listed
    assert path not in listed
    withdraw = re.search(r'action="([^"]+/withdraw)"', listed)[1]  # type: ignore[index]
    await client.post(withdraw, data={"form_token": token})
    assert (await client.get(path)).status_code == 404
    refused = await client.post(f"{MEMBERS}/invite", data=form | {"email": "no address"})
    assert (refused.status_code, "is no e-mail address" in refused.text) == (422, True)


async def test_an_owner_changes_roles_and_makes_links_for_members(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A new role is stored; a link for a new password leads to its form."""
    member = await new_member(services, customer.account_id, Role.VIEWER)
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    await client.post(f"{MEMBERS}/{member.id}/role", data={"form_token": token, "role": "recruiter"})
    assert await role_of(services, member) is Role.RECRUITER
    made = await client.post(f"{MEMBERS}/{member.id}/link", data={"form_token": token, "kind": "reset"})
    assert "Choose a new password" in (await client.get(LINK.search(made.text)[1])).text  # type: ignore[index]
    await client.post(f"{MEMBERS}/{member.id}/remove", data={"form_token": token})
    assert await role_of(services, member) is None


async def test_the_only_owner_stays_an_owner(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """Neither removal nor another role: 409 with the reason, until there is a second owner."""
    owner = await new_member(services, customer.account_id, Role.OWNER)
    token = await as_actor(client, services, owner.actor)
    for action, more in (("remove", {}), ("role", {"role": "viewer"})):
        refused = await client.post(f"{MEMBERS}/{owner.id}/{action}", data={"form_token": token} | more)
        assert (refused.status_code, "is the only owner" in refused.text) == (409, True)
    await new_member(services, customer.account_id, Role.OWNER, "second@example.com")
    await client.post(f"{MEMBERS}/{owner.id}/role", data={"form_token": token, "role": "viewer"})
    assert await role_of(services, owner) is Role.VIEWER


async def test_members_of_another_account_do_not_exist(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Every form answers 404, and nothing about them is on the page."""
    stranger = await new_member(services, (await new_customer(services.database)).account_id, Role.VIEWER)
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    for action, more in (("role", {"role": "owner"}), ("remove", {}), ("link", {"kind": "sign_in"})):
        answer = await client.post(f"{MEMBERS}/{stranger.id}/{action}", data={"form_token": token} | more)
        assert answer.status_code == 404
    assert stranger.email not in (await client.get(MEMBERS)).text
    assert await role_of(services, stranger) is Role.VIEWER


async def test_a_member_changes_the_password_and_other_browsers_are_out(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The present password is asked for; this session stays, the other ends."""
    member = await new_member(services, customer.account_id, Role.VIEWER, "ada@example.com", PASSWORD)
    await as_actor(client, services, member.actor)
    other = dict(client.cookies)
    token = await as_actor(client, services, member.actor)
    form = {"form_token": token, "present": "wrong", "password": "another long phrase 57"}
    assert (await client.post("/settings/password", data=form)).status_code == 401
    changed = await client.post("/settings/password", data=form | {"present": PASSWORD})
    assert "Your password is changed" in changed.text
    assert "Who you are" in (await client.get("/settings")).text
    client.cookies.clear()
    client.cookies.update(other)
    assert "Who you are" not in (await client.get("/settings")).text
    again = await client.post("/sign-in", data={"email": "ada@example.com", "password": "another long phrase 57"})
    assert again.status_code == 303


async def test_a_present_password_cannot_be_tried_out(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The eleventh try of a browser within ten minutes gets 429."""
    token = await as_role(client, services, customer.account_id, Role.VIEWER)
    form = {"form_token": token, "present": "a guess", "password": "short"}
    answers = [(await client.post("/settings/password", data=form)).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


async def test_sessions_are_listed_and_ended(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """A member sees and ends their own; an owner those of the account, and nobody those of another account."""
    viewer = await new_member(services, customer.account_id, Role.VIEWER)
    stranger = await new_member(services, (await new_customer(services.database)).account_id, Role.VIEWER)
    async with services.database.transaction() as session:
        for member in (viewer, stranger):
            await sessions.begin(session, member.actor, f"Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0 {HOSTILE}")
        (theirs,) = await sessions.list_sessions(session, stranger.actor)
        (old,) = await sessions.list_sessions(session, viewer.actor)
    token = await as_actor(client, services, viewer.actor)
    page = (await client.get("/settings")).text
    assert page.count("/end") == 2
    assert "Firefox on Linux" in page
    assert (await client.post(f"/settings/sessions/{theirs.id}/end", data={"form_token": token})).status_code == 404
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    assert (await client.get("/settings")).text.count("/end") == 3
    await client.post(f"/settings/sessions/{old.id}/end", data={"form_token": token})
    assert (await client.get("/settings")).text.count("/end") == 2


async def test_the_log_says_who_did_what_and_names_no_candidate(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Submitting, seeing, exporting and erasing are there; a page that is loaded again counts once."""
    member = await new_member(services, customer.account_id, Role.OWNER, "ada@example.com")
    job_id = (await submit(client, customer, label="Carol Candidate")).json()["job_id"]
    await Executor(services, pool).run_next()
    token = await as_actor(client, services, member.actor)
    for path in ("", "", "/transcript.txt", "/scorecard.pdf"):
        await client.get(f"/interviews/{job_id}{path}")
    await client.get("/interviews/list.csv")
    await client.post(f"/interviews/{job_id}/delete", data={"form_token": token})
    who = "ada@example.com"
    (_, *told) = await logged(services, customer)  # the customer's key
    assert told == [
        (customer.secret[: len("lv_sk_all_") + 4], "interview.submitted", job_id),
        (who, "interview.seen", job_id),
        (who, "interview.exported", job_id),
        (who, "interview.exported", job_id),
        (who, "interview.exported", None),
        (who, "interview.erased", job_id),
    ]
    page = (await client.get("/settings/log")).text
    assert "scorecard as pdf" in page
    assert "Carol" not in page
    assert "None" not in page


async def test_the_log_is_filtered_paged_and_only_the_accounts(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Filters by person, action and id; the link to older entries keeps the filter."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    stranger = await new_customer(services.database)
    async with services.database.transaction() as session:
        await audit.record(session, stranger.actor, Action.KEY_REVOKED, "key_of_a_stranger")
        for number in range(60):
            await audit.record(session, customer.actor, Action.KEY_REVOKED, f"key_{number}", HOSTILE)
    assert token
    first = (await client.get("/settings/log?action=key.revoked&actor=the+operator&subject=")).text
    assert "key_59" in first
    assert "signed in</td>" not in first
    assert HOSTILE not in first
    older = re.search(r'href="(/settings/log\?[^"]+)">Older', first)[1].replace("&amp;", "&")  # type: ignore[index]
    second = (await client.get(older)).text
    assert "key_0" in second
    assert "key_59" not in second
    assert "Older entries" not in second
    assert "key_of_a_stranger" not in first + second
    one = (await client.get("/settings/log?subject=key_7")).text
    assert (one.count("<tr>"), "Show all" in one) == (2, True)


def test_every_action_has_words() -> None:
    """The page and its filter name all of them."""
    assert set(WORDS) == set(Action)


async def test_a_candidate_is_erased_everywhere(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """By label or name in the metadata, finished or not; others and other accounts' stay; inputs are deleted."""
    ada = [await submit(client, customer, label="Ada"), await submit(client, customer, metadata='{"candidate": "Ada"}')]
    for _ in ada:
        await Executor(services, pool).run_next()
    ada.append(await submit(client, customer, label="Ada"))
    others = [
        await submit(client, customer, label="ada"),
        await submit(client, await new_customer(services.database), label="Ada"),
    ]
    others.append(await submit(client, customer, metadata='{"candidate": ""}'))
    token = await as_role(client, services, customer.account_id, Role.RECRUITER)
    nameless = await client.post("/settings/erase", data={"form_token": token, "confirmed": "on"})
    assert "0 interviews erased." in nameless.text
    assert "3 interviews of Ada" in (await client.get("/settings/erase?candidate=Ada")).text
    unconfirmed = await client.post("/settings/erase", data={"form_token": token, "candidate": "Ada"})
    assert unconfirmed.status_code == 422
    done = await client.post("/settings/erase", data={"form_token": token, "candidate": "Ada", "confirmed": "on"})
    assert "3 interviews erased." in done.text
    async with services.database.transaction() as session:
        rows = {job.id: job for job in (await session.exec(select(Job))).all()}
    assert all(rows[answer.json()["job_id"]].erased_at for answer in ada)
    assert not [answer for answer in others if rows[answer.json()["job_id"]].erased_at]
    waiting = rows[ada[-1].json()["job_id"]]
    assert (waiting.state, waiting.label, waiting.credits_returned) == (JobState.CANCELED, None, 1)
    assert len(await services.blobs.older_than(-1)) == len(others)


@pytest.mark.parametrize("path", ["/settings", MEMBERS, "/settings/log", "/settings/erase?candidate=x"])
async def test_settings_are_not_cached_and_run_no_inline_script(
    client: httpx.AsyncClient, services: Services, customer: Customer, path: str
) -> None:
    """As every page of an account."""
    await as_role(client, services, customer.account_id, Role.OWNER)
    answer = await client.get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<style|<script>|\bstyle=|\bon\w+=", answer.text)
