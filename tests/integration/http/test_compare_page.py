"""Candidates side by side, without a browser: who is there, in which order, and what is not compared."""

import re

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.accounts import audit, preferences
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action, AuditFilter
from serve_app.accounts.preferences import Preferences
from serve_app.executor import Executor
from serve_app.jobs.review import Rating, ReviewRequest, review
from serve_app.services import Services
from tests.integration.http.test_interview_pages import HOSTILE
from tests.support.calls import submit
from tests.support.scored import lengthen, score
from tests.support.visitors import as_role
from tests.support.world import Customer, new_customer

COMPARE = "/interviews/compare"


@pytest.fixture
async def chosen(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> list[str]:
    """Two finished interviews for one role: one scored 4 throughout, one from 1 to 5."""
    ids = []
    for label in ("Ada", HOSTILE):
        ids.append(str((await submit(client, customer, label=label, role_title="Nurse")).json()["job_id"]))
        await Executor(services, pool).run_next()
        await score(services.database, ids[-1])
    await lengthen(services.database, ids[1], 500)
    await as_role(client, services, customer.account_id, Role.OWNER)
    return ids


def order(text: str) -> list[str]:
    """Ids of the columns from left to right."""
    return re.findall(r'<th scope="col"><a href="/interviews/(job_\w+)"', text)


async def test_candidates_stand_side_by_side_with_quotes_and_people(
    client: httpx.AsyncClient, services: Services, customer: Customer, chosen: list[str]
) -> None:
    """Each cell has the level, what people said of it, and quotes that lead to their words."""
    async with services.database.transaction() as session:
        request = ReviewRequest("R. 7", {"teamwork": Rating(2)}, "hold")
        await review(session, Actor.operator(customer.account_id), chosen[0], request)
    text = (await client.get(COMPARE, params={"job": chosen})).text
    assert order(text) == chosen
    assert "2 candidates for Nurse" in text
    assert "A person decides" in text
    assert text.count("Working with others") == 2  # the row, and the link that sorts by it
    assert "2 levels below the model" in text
    assert '<strong>Hold</strong> <span class="muted">by people</span>' in text
    links = re.findall(r'href="/interviews/(job_\w+)#([\w-]+)"', text)
    assert {job_id for job_id, _ in links} == set(chosen)
    for job_id, target in links:
        assert f'id="{target}"' in (await client.get(f"/interviews/{job_id}")).text
    assert "<script>alert" not in text


async def test_candidates_are_sorted_by_a_competency_or_the_mean(client: httpx.AsyncClient, chosen: list[str]) -> None:
    """The highest comes first: the last competency is 5 for the second one, the mean is higher for the first."""
    other = chosen[::-1]
    assert order((await client.get(COMPARE, params={"job": other, "sort": "mean"})).text) == chosen
    assert order((await client.get(COMPARE, params={"job": chosen, "sort": "motivation"})).text) == other
    assert order((await client.get(COMPARE, params={"job": chosen, "sort": "no such"})).text) == chosen


async def test_different_roles_are_said(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, chosen: list[str]
) -> None:
    """Interviews for different roles are compared with a warning that names the roles."""
    baker = str((await submit(client, customer, role_title="Baker")).json()["job_id"])
    await Executor(services, pool).run_next()
    assert "different roles: Nurse, Baker" in (await client.get(COMPARE, params={"job": [chosen[0], baker]})).text


async def test_only_two_to_five_finished_interviews_of_ones_own_are_compared(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, chosen: list[str]
) -> None:
    """One, one that waits, or one of another account is not enough; the page says what to choose, and is no reading."""
    waiting = str((await submit(client, customer)).json()["job_id"])
    await Executor(services, pool).run_next()
    stranger = await new_customer(services.database)
    foreign = str((await submit(client, stranger)).json()["job_id"])
    await Executor(services, pool).run_next()
    queued = str((await submit(client, customer)).json()["job_id"])
    for jobs in ([], chosen[:1], [chosen[0], queued], [chosen[0], foreign], [chosen[0], chosen[0]]):
        answer = await client.get(COMPARE, params={"job": jobs})
        assert answer.status_code == 422
        assert "Choose two to five finished interviews" in answer.text
    async with services.database.transaction() as session:
        seen = AuditFilter(Action.INTERVIEW_SEEN)
        assert not (await audit.list_entries(session, customer.actor, seen, None, 1)).rows
    assert (await client.get(COMPARE, params={"job": [*chosen, waiting]})).status_code == 200


async def test_who_has_to_rate_first_sees_nothing_of_the_model(
    client: httpx.AsyncClient, services: Services, customer: Customer, chosen: list[str]
) -> None:
    """The column asks for the reader's own rating, and the order tells nothing either."""
    async with services.database.transaction() as session:
        await preferences.change(session, Actor.operator(customer.account_id), Preferences(rate_first=True))
    text = (await client.get(COMPARE, params={"job": chosen, "sort": "motivation"})).text
    assert order(text) == chosen
    assert "Rate first" in text
    assert "Advance" not in text
    assert "●" not in text
