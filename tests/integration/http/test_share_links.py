"""Share links: what a stranger sees and when not, passcodes, views, roles, and what is never stored."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from deployments.replica.local_pool import LocalPool
from serve_app.accounts.actors import Role
from serve_app.accounts.models import AuditEntry
from serve_app.executor import Executor
from serve_app.http.app import create_app
from serve_app.jobs.models import ShareLink, ShareView
from serve_app.services import Services
from serve_app.storage.database import after
from tests.integration.http.test_interview_pages import HOSTILE
from tests.support.calls import submit
from tests.support.scored import score
from tests.support.visitors import as_role
from tests.support.world import Customer, new_customer

ALL = {
    f"section-{name}": "yes"
    for name in (
        "summary", "scores", "highlights", "red_flags", "questions", "submittal_note", "reviews", "metrics",
        "transcript",
    )
}  # fmt: skip


@pytest.fixture
async def page(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """The page of a finished and scored interview."""
    fields = {"label": "Ada Lovelace", "role_title": HOSTILE, "metadata": '{"candidate": "Ada Lovelace"}'}
    job_id = (await submit(client, customer, **fields)).json()["job_id"]
    await Executor(services, pool).run_next()
    await score(services.database, job_id)
    return f"/interviews/{job_id}"


@pytest.fixture
async def token(client: httpx.AsyncClient, services: Services, customer: Customer) -> str:
    """The token of a signed-in recruiter's forms."""
    return await as_role(client, services, customer.account_id, Role.RECRUITER)


@pytest.fixture
async def stranger(services: Services) -> httpx.AsyncClient:
    """Another browser, which is not signed in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://test")


async def share(client: httpx.AsyncClient, page: str, token: str, **fields: Any) -> str:
    """Make a link. Returns its path."""
    answer = await client.post(f"{page}/links", data={"form_token": token, "days": 7} | (fields or ALL))
    assert answer.status_code == 303, answer.text
    text = (await client.get(answer.headers["location"])).text
    return str(re.search(r"data-new>.*?http://test(/s/[\w.-]+)</code>", text, re.DOTALL)[1])  # type: ignore[index]


async def rows(services: Services, table: Any) -> list[Any]:
    async with services.database.transaction() as session:
        return list((await session.exec(select(table))).all())


async def test_a_stranger_reads_what_was_shared(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """All chosen sections are there, as text, not for search engines, caches or referrers."""
    answer = await stranger.get(await share(client, page, token))
    assert answer.status_code == 200
    for told in ("Ada Lovelace", "Told.", "A person decides", "A note.", "Advance", "<h2>Transcript</h2>"):
        assert told in answer.text, told
    assert "<script>alert" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert '<meta name="robots" content="noindex' in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "/interviews" not in answer.text


async def test_only_the_chosen_sections_are_shown_and_the_name_is_hidden(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """Scores without the recommendation, the note, the transcript or the candidate's name."""
    text = (await stranger.get(await share(client, page, token, **{"section-scores": "yes", "hide_name": "true"}))).text
    assert "Told." in text
    for hidden in ("Ada", "Lovelace", "A note.", "Advance", "Transcript</h2>", "suggests"):
        assert hidden not in text, hidden


async def test_a_link_ends_when_it_is_revoked_expires_or_its_interview_is_erased(
    client: httpx.AsyncClient, services: Services, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """Each says that it has ended, and nothing of the interview; an address that was never given is a 404."""
    revoked, expired, erased = [await share(client, page, token) for _ in range(3)]
    send = (await client.get(f"{page}/send")).text
    first = re.search(rf'<code id="(shr_\w+)">http://test{re.escape(revoked)}<', send)[1]  # type: ignore[index]
    assert (await client.post(f"{page}/links/{first}/revoke", data={"form_token": token})).status_code == 303
    second = re.search(rf'<code id="(shr_\w+)">http://test{re.escape(expired)}<', send)[1]  # type: ignore[index]
    async with services.database.transaction() as session:
        await session.exec(update(ShareLink).where(col(ShareLink.id) == second).values(expires_at=after(-1)))
    assert (await stranger.get(erased)).status_code == 200
    await client.post(f"{page}/delete", data={"form_token": token})
    for path in (revoked, expired, erased):
        answer = await stranger.get(path)
        assert answer.status_code == 410
        assert "This link has ended" in answer.text
        assert "Lovelace" not in answer.text
    assert await rows(services, ShareLink) == []
    assert await rows(services, ShareView) == []
    assert (await stranger.get(f"{erased}x")).status_code == 404


async def test_a_passcode_is_asked_for_and_kept_as_a_hash(
    client: httpx.AsyncClient, services: Services, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """Without it nothing is shown; a wrong one is refused; the right one admits this browser to this link alone."""
    path = await share(client, page, token, passcode="open sesame", **ALL)
    other = await share(client, page, token, passcode="another one", **ALL)
    asked = await stranger.get(path)
    assert "Passcode" in asked.text
    assert "Lovelace" not in asked.text
    wrong = await stranger.post(path, data={"passcode": "open barley"})
    assert (wrong.status_code, "This is not the passcode" in wrong.text) == (403, True)
    right = await stranger.post(path, data={"passcode": "open sesame"})
    assert (right.status_code, right.headers["location"]) == (303, path)
    assert "HttpOnly" in right.headers["set-cookie"]
    assert "Lovelace" in (await stranger.get(path)).text
    assert "Lovelace" not in (await stranger.get(other)).text
    stored = [link.passcode_hash for link in await rows(services, ShareLink)]
    assert all(hashed.startswith("$argon2id$") for hashed in stored)


async def test_passcodes_cannot_be_tried_out(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """After a few wrong ones, further tries get 429."""
    path = await share(client, page, token, passcode="open sesame", **ALL)
    statuses = [(await stranger.post(path, data={"passcode": f"guess {n}"})).status_code for n in range(12)]
    assert statuses[0] == 403
    assert statuses[-1] == 429


async def test_views_of_others_are_counted_and_logged(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, page: str, token: str
) -> None:
    """Two views of a stranger count, the account's own does not; the page names time and address."""
    path = await share(client, page, token)
    await stranger.get(path)
    await stranger.get(path)
    await client.get(path)
    text = (await client.get(f"{page}/send")).text
    assert "2 views" in text
    assert text.count("from 127.0.0.1") == 2


async def test_sharing_is_for_recruiters_of_the_account_and_is_in_the_audit_log(
    client: httpx.AsyncClient, services: Services, customer: Customer, page: str, token: str
) -> None:
    """Viewers and other accounts are refused; the log says who made and revoked a link."""
    await share(client, page, token)
    (link,) = await rows(services, ShareLink)
    revoke = f"{page}/links/{link.id}/revoke"
    await client.post(revoke, data={"form_token": token})
    actions = [entry.action for entry in await rows(services, AuditEntry) if entry.actor == link.created_by]
    assert {"interview.shared", "interview.share_revoked"} <= set(actions)
    viewer = await as_role(client, services, customer.account_id, Role.VIEWER)
    assert (await client.get(f"{page}/send")).status_code == 403
    assert (await client.post(f"{page}/links", data={"form_token": viewer, "days": 7} | ALL)).status_code == 403
    assert "/send" not in (await client.get(page)).text
    other = await as_role(client, services, (await new_customer(services.database)).account_id, Role.OWNER)
    assert (await client.get(f"{page}/send")).status_code == 404
    assert (await client.post(revoke, data={"form_token": other})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"days": "7"}, "Sections: "),
        (ALL | {"days": "91"}, "Days until it ends: "),
        (ALL | {"days": "7", "passcode": "short"}, "Passcode: must have at least 6 characters, has 5."),
    ],
)
async def test_a_link_that_cannot_be_made_says_why(
    client: httpx.AsyncClient, services: Services, page: str, token: str, fields: dict[str, str], told: str
) -> None:
    """The page names the field and the limit, and no link is made."""
    answer = await client.post(f"{page}/links", data={"form_token": token} | fields)
    assert answer.status_code == 422
    assert told in answer.text
    assert await rows(services, ShareLink) == []


async def test_a_foreign_site_makes_no_link(client: httpx.AsyncClient, page: str, token: str) -> None:
    """The form needs the page's token."""
    assert token
    assert (await client.post(f"{page}/links", data={"days": 7} | ALL)).status_code == 422


async def test_a_file_has_the_chosen_sections(client: httpx.AsyncClient, page: str, token: str) -> None:
    """The form of the page chooses them by its checkboxes."""
    assert token
    text = (await client.get(f"{page}/scorecard.md", params={"sections": ["scores"], "hide_name": "true"})).text
    assert "Told" in text
    assert "A note" not in text
    assert "Lovelace" not in text
    assert (await client.get(f"{page}/scorecard.csv")).status_code == 200
