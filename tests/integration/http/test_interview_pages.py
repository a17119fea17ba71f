"""The pages of a recruiter, without a browser: who sees what, what forms do, and that text stays text."""

import json
import re

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.accounts.preferences import CONSENT, Consent
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.fakes import local_pool
from tests.support.scored import score
from tests.support.world import Customer, new_customer, tone

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = "<script>alert(1)</script>\"'&"


async def signed_in(client: httpx.AsyncClient, customer: Customer) -> str:
    """Sign in. Returns the token that forms carry."""
    answer = await client.post("/sign-in", data={"api_key": customer.secret})
    assert (answer.status_code, answer.headers["location"]) == (303, "/interviews")
    page = await client.get("/interviews")
    return re.search(r'name="form_token" value="([^"]+)"', page.text)[1]  # type: ignore[index]


async def finished(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """The page of a completed interview whose texts are hostile."""
    metadata = json.dumps({"candidate": HOSTILE})
    answer = await submit(client, customer, role_title=HOSTILE, metadata=metadata)
    await Executor(services, pool).run_next()
    return f"/interviews/{answer.json()['job_id']}"


async def test_home_leads_to_the_sign_in_and_then_to_the_interviews(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A stranger reads what this is; a visitor goes on to the list, which starts empty and says what to do."""
    assert 'href="/sign-in"' in (await client.get("/")).text
    await signed_in(client, customer)
    assert (await client.get("/")).headers["location"] == "/interviews"
    assert "No interviews yet" in (await client.get("/interviews")).text


async def test_a_page_that_needs_a_sign_in_is_opened_afterwards(client: httpx.AsyncClient, customer: Customer) -> None:
    """The form carries the page that was asked for, and never another host's."""
    asked = await client.get("/interviews/new")
    assert 'name="next" value="/interviews/new"' in asked.text
    for page, leads_to in (("/interviews/new", "/interviews/new"), ("//evil.example/x", "/interviews")):
        answer = await client.post("/sign-in", data={"api_key": customer.secret, "next": page})
        assert answer.headers["location"] == leads_to


@pytest.mark.parametrize(
    "path", ["/interviews", "/interviews/new", "{page}", "{page}/transcript.txt", "{page}/scorecard.pdf"]
)
async def test_nobody_sees_pages_without_signing_in(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, path: str
) -> None:
    """The sign-in page stands in their place, and nothing of the interview is on it."""
    page = await finished(client, services, pool, customer)
    answer = await client.get(path.format(page=page))
    assert "A key with scope" in answer.text
    assert "alert(1)" not in answer.text


@pytest.mark.parametrize("path", ["/review", "/assessments", "/delete"])
async def test_what_is_sent_after_a_session_has_ended_is_refused(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, path: str
) -> None:
    """401, not the sign-in page with 200: a script must not take it for saved."""
    page = await finished(client, services, pool, customer)
    answer = await client.post(f"{page}{path}", json={"recommendation": "hold"})
    assert answer.status_code == 401
    assert "nothing was saved" in answer.text


async def test_another_accounts_interview_does_not_exist(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Reading, exporting and every form get the 404 of an unknown interview."""
    page = await finished(client, services, pool, customer)
    token = await signed_in(client, await new_customer(services.database))
    assert page not in (await client.get("/interviews")).text
    assert (await client.get(page, headers=BROWSER)).status_code == 404
    assert (await client.get(f"{page}/transcript.srt")).status_code == 404
    assert (await client.get(f"{page}/scorecard.pdf")).status_code == 404
    for action in ("cancel", "retry", "delete"):
        assert (await client.post(f"{page}/{action}", data={"form_token": token})).status_code == 404


async def test_hostile_text_stays_text_and_no_page_is_kept(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """List and scorecard escape role and name, forbid inline scripts, and are not cached."""
    page = await finished(client, services, pool, customer)
    await signed_in(client, customer)
    for path in ("/interviews", page, "/interviews/new"):
        answer = await client.get(path)
        assert "<script>alert" not in answer.text
        assert not re.search(r"<style|<script>|\bstyle=|\bon\w+=", answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_scorecard_shows_every_competency_and_links_to_words_that_are_there(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Every quote leads to an element of the page, and the page says who decides."""
    page = await finished(client, services, pool, customer)
    await score(services.database, page.rpartition("/")[2])
    await signed_in(client, customer)
    text = (await client.get(page)).text
    assert "A person decides, not this page." in text
    assert text.count("What the levels mean") == 5
    targets = re.findall(r'<li><a href="#([^"]+)"', text)
    assert targets
    assert all(f'id="{target}"' in text for target in targets)


async def test_a_scorecard_is_saved_from_its_page(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Every link to a document leads to one, which no cache keeps."""
    page = await finished(client, services, pool, customer)
    await signed_in(client, customer)
    links = re.findall(rf'href="({page}/scorecard[^"]+)"', (await client.get(page)).text)
    assert len(links) == 6
    for link in links:
        answer = await client.get(link)
        assert answer.content[:2] in {b"%P", b"PK", b"jo", b'{"'}
        assert answer.headers["cache-control"] == "no-store"


async def test_an_upload_needs_the_pages_token(client: httpx.AsyncClient, customer: Customer) -> None:
    """A foreign site's form with the visitor's cookie is refused before the file is read; ours is accepted once."""
    token = await signed_in(client, customer)
    form = {"data": {"role_title": "Nurse"}, "files": {"file": ("a.wav", tone(2))}}
    consented = f"/interviews?consent={Consent(CONSENT).id}"
    assert (await client.post(consented, **form)).status_code == 422
    headers = {"X-Form-Token": token, "Idempotency-Key": "once"}
    first = await client.post(consented, **form, headers=headers)
    again = await client.post(consented, **form, headers=headers)
    assert (first.status_code, first.json()) == (202, again.json())
    quote = await client.post("/interviews/quote", data={"duration_s": "61"}, headers={"X-Form-Token": token})
    assert quote.json()["credits"] == 2


async def test_an_open_interview_can_be_followed_and_canceled(client: httpx.AsyncClient, customer: Customer) -> None:
    """The page names a stream that needs no other sign-in; a cancel ends it and returns the credits."""
    token = await signed_in(client, customer)
    page = f"/interviews/{(await submit(client, customer)).json()['job_id']}"
    address = re.search(r'data-events="([^"]+)"', (await client.get(page)).text)[1]  # type: ignore[index]
    await client.post(f"{page}/cancel", data={"form_token": token})
    stream = await client.get(address, headers={"Cookie": ""})
    assert '"status":"canceled"' in stream.text.replace(" ", "")
    assert "Returned: 1" in (await client.get(page)).text


async def test_a_failed_interview_says_why_and_runs_again(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The page offers the free retry, and the second run ends as a scorecard that can be erased."""
    token = await signed_in(client, customer)
    services.settings.max_attempts = 1
    failing = local_pool(services.database, asr={"fail": "inference"})
    page = await finished(client, services, failing, customer)
    await failing.close()
    assert "without a charge" in (await client.get(page)).text
    assert (await client.post(f"{page}/retry", data={"form_token": token})).status_code == 303
    await Executor(services, pool).run_next()
    assert "A person decides" in (await client.get(page)).text
    await client.post(f"{page}/delete", data={"form_token": token})
    erased = (await client.get(page)).text
    assert "was erased" in erased
    assert "alert(1)" not in erased


async def test_browsers_get_pages_for_errors_and_programs_get_json(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """The page and the JSON carry the same status and request id; /v1 answers JSON to everybody."""
    await signed_in(client, customer)
    for path, kind in (
        ("/interviews/job_x", "text/html"),
        ("/nowhere", "text/html"),
        ("/v1/nowhere", "application/json"),
    ):
        answer = await client.get(path, headers=BROWSER)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-request-id"] in answer.text
    assert (await client.get("/nowhere")).json()["detail"]["code"] == "not_found"
