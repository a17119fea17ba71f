"""What an account decides: how long interviews are kept, and what is confirmed about consent."""

import html
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.accounts import audit, preferences
from serve_app.accounts.actors import Role
from serve_app.accounts.audit import Action, AuditFilter
from serve_app.accounts.preferences import Preferences
from serve_app.executor import Executor
from serve_app.jobs import queries
from serve_app.jobs.models import Job
from serve_app.services import Services
from serve_app.verticals import rubric_templates
from serve_app.verticals.rubric import CallerRubric
from tests.support.calls import submit
from tests.support.visitors import as_role
from tests.support.world import Customer, new_customer, tone
from tests.unit.verticals.test_rubric import OWN

PAGE = "/settings/account"
TEXT = "The candidate has signed our form <b>A7</b> & agreed."


async def stored(services: Services, job_id: str) -> Job:
    """The job's row."""
    async with services.database.transaction() as session:
        return await queries.get_job(session, job_id)


async def upload(client: httpx.AsyncClient, token: str, consent: str) -> httpx.Response:
    """Submit as the form's script does."""
    form = {"data": {"role_title": "Nurse"}, "files": {"file": ("a.wav", tone(2))}}
    return await client.post(f"/interviews?consent={consent}", **form, headers={"X-Form-Token": token})


def shown(page: str) -> str:
    """The id of the text that the form shows."""
    return re.search(r'data-consent="([^"]+)"', page)[1]  # type: ignore[index]


async def test_the_text_that_was_confirmed_is_stored_with_the_interview(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The form shows the account's text; without it nothing is accepted; the scorecard repeats it, as text."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    await client.post(PAGE, data={"form_token": token, "consent_text": TEXT})
    page = (await client.get("/interviews/new")).text
    assert "&lt;b&gt;A7&lt;/b&gt;" in page
    refused = await upload(client, token, "")
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "consent")
    job_id = (await upload(client, token, shown(page))).json()["job_id"]
    assert (await stored(services, job_id)).consent_text == TEXT
    await Executor(services, pool).run_next()
    assert "&lt;b&gt;A7&lt;/b&gt;" in (await client.get(f"/interviews/{job_id}")).text


async def test_a_form_that_shows_an_older_text_is_refused(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Nobody confirms a text that they have not read: 409, and the reloaded form works."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    before = shown((await client.get("/interviews/new")).text)
    await client.post(PAGE, data={"form_token": token, "consent_text": TEXT})
    refused = await upload(client, token, before)
    assert (refused.status_code, "Reload the page" in refused.text) == (409, True)
    after = shown((await client.get("/interviews/new")).text)
    assert (await upload(client, token, after)).status_code == 202


async def test_jobs_of_the_api_need_no_confirmation(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The API is as it was: the caller answers for the consent, and none is stored."""
    job_id = (await submit(client, customer)).json()["job_id"]
    assert (await stored(services, job_id)).consent_text is None


@pytest.mark.parametrize(("days", "kept"), [(3, 3), (400, 30), (None, 30)])
async def test_an_account_keeps_interviews_for_its_own_days_and_never_longer_than_the_deployment(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, days: int | None, kept: int
) -> None:
    """Completed and canceled ones expire after these days; another account's do not change."""
    stranger = await new_customer(services.database)
    async with services.database.transaction() as session:
        await preferences.change(session, customer.actor, Preferences(retention_days=days))
    jobs = [(await submit(client, one)).json()["job_id"] for one in (customer, stranger, customer)]
    for _ in range(2):
        await Executor(services, pool).run_next()
    await client.post(f"/v1/jobs/{jobs[2]}/cancel", headers=customer.headers)
    for job_id, expected in zip(jobs, (kept, 30, kept), strict=True):
        expires_at = (await stored(services, job_id)).expires_at
        assert expires_at
        assert abs(expires_at - datetime.now(UTC) - timedelta(days=expected)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("retention_days", "0", "Days: "),
        ("retention_days", "soon", "Days: "),
        ("consent_text", "short", "Text: must have at least 20 characters, has 5"),
        ("consent_text", "x" * 1001, "Text: must have at most 1000 characters, has 1001"),
        ("consent_text", "NUL \0 is not stored in any text", "Text: "),
    ],
)
async def test_what_cannot_be_a_setting_is_refused_in_words(
    client: httpx.AsyncClient, services: Services, customer: Customer, field: str, value: str, message: str
) -> None:
    """422 with the limit, and the settings stay."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    refused = await client.post(PAGE, data={"form_token": token, field: value})
    assert (refused.status_code, message in refused.text) == (422, True)
    async with services.database.transaction() as session:
        assert await preferences.get(session, customer.account_id) == Preferences()
    assert value.strip() in html.unescape(refused.text)


async def test_a_change_is_logged(client: httpx.AsyncClient, services: Services, customer: Customer) -> None:
    """Only what has changed; an empty form goes back to the deployment's own."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    for days in ("9", "", ""):
        assert "Saved." in (await client.post(PAGE, data={"form_token": token, "retention_days": days})).text
    async with services.database.transaction() as session:
        filter_ = AuditFilter(Action.SETTINGS_CHANGED)
        newest, first = (await audit.list_entries(session, customer.actor, filter_, None, 9)).rows
    assert newest.note == first.note == "how long interviews are kept"


async def test_the_form_of_a_new_interview_begins_with_the_accounts_rubric(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Only a rubric of the account can be chosen; once it is deleted, the form begins with the product's."""
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    chosen = re.compile(r'<option value="(rub_[^"]+)" selected>')
    for owner, status in ((await new_customer(services.database), 404), (customer, 200)):
        async with services.database.transaction() as session:
            content = CallerRubric.model_validate(OWN).competencies
            rubric = (await rubric_templates.create_rubric(session, owner.actor, "Nurses", content)).template
        answer = await client.post(PAGE, data={"form_token": token, "default_rubric_id": rubric.id})
        assert answer.status_code == status
    assert chosen.findall(answer.text) == [rubric.id]
    assert chosen.findall((await client.get("/interviews/new")).text) == [rubric.id]
    assert chosen.findall((await client.get("/interviews/new?rubric_id=")).text) == []
    async with services.database.transaction() as session:
        await rubric_templates.delete_rubric(session, customer.actor, rubric.id)
    assert chosen.findall((await client.get("/interviews/new")).text) == []
