"""The list of interviews as a page and as a file: search, filters, what people say, and several erased at once."""

import csv
import io
import re
from typing import Any

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.accounts.actors import Actor, Role
from serve_app.executor import Executor
from serve_app.jobs import queries
from serve_app.jobs.review import Rating, ReviewRequest, review
from serve_app.services import Services
from tests.integration.http.test_interview_pages import HOSTILE
from tests.support.calls import submit
from tests.support.scored import score
from tests.support.visitors import as_role
from tests.support.world import Customer, new_customer

SLUGS = ("problem_solving", "technical_depth", "communication", "teamwork", "motivation")


async def scored(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, **f: Any) -> str:
    """Id of a finished interview that the model advises to advance."""
    job_id = str((await submit(client, customer, **f)).json()["job_id"])
    await Executor(services, pool).run_next()
    await score(services.database, job_id)
    return job_id


async def rate(services: Services, job_id: str, reviewer: str, recommendation: Any) -> None:
    scores = {slug: Rating(3) for slug in SLUGS}
    async with services.database.transaction() as session:
        job = await queries.get_job(session, job_id)
        await review(session, Actor.operator(job.account_id), job_id, ReviewRequest(reviewer, scores, recommendation))


async def test_the_list_shows_the_model_and_the_people_side_by_side(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Each recommendation is in its own column, those of several people with their number."""
    job_id = await scored(client, services, pool, customer, label=HOSTILE)
    for reviewer, recommendation in (("a", "hold"), ("b", "advance"), ("c", "hold")):
        await rate(services, job_id, reviewer, recommendation)
    await as_role(client, services, customer.account_id, Role.OWNER)
    text = (await client.get("/interviews")).text
    assert '<td data-label="The model suggests">Advance</td>' in text
    assert '<td data-label="People say">Hold (2), Advance (1)</td>' in text
    assert "<script>alert" not in text


async def test_the_list_hides_the_model_from_who_has_to_rate_first(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Neither page nor file tells what the model or other people said."""
    job_id = await scored(client, services, pool, customer)
    await rate(services, job_id, "a", "hold")
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    await client.post("/settings/account", data={"form_token": token, "rate_first": "yes"})
    for path in ("/interviews", "/interviews/list.csv"):
        text = (await client.get(path)).text
        assert "Advance" not in text
        assert "Hold" not in text
    await rate(services, job_id, f"owner@{customer.account_id}.example", "reject")
    assert "Advance" in (await client.get("/interviews")).text


async def test_the_list_is_searched_and_filtered(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """By words of candidate, role and file, by state and product; links to other states keep the search."""
    await submit(client, customer, label="Ada", role_title="Nurse")
    await submit(client, customer, label="Grace", role_title="Baker")
    await as_role(client, services, customer.account_id, Role.OWNER)
    text = (await client.get("/interviews", params={"q": "nur ada"})).text
    assert ("Ada</a>" in text, "Grace</a>" in text) == (True, False)
    assert 'href="/interviews?q=nur+ada&amp;state=failed"' in text
    assert "No interview matches" in (await client.get("/interviews", params={"state": "failed"})).text
    assert "No interview matches" in (await client.get("/interviews", params={"product": "other"})).text
    assert (await client.get("/interviews", params={"state": "wrong"})).status_code == 422


async def test_the_list_is_saved_as_csv(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The file has the rows that were searched for, of this account alone, and no cell that a spreadsheet would run."""
    job_id = await scored(client, services, pool, customer, label="=1+1", role_title="Nurse")
    await submit(client, customer, label="Grace", role_title="Baker")
    await submit(client, await new_customer(services.database), role_title="Nurse")
    await as_role(client, services, customer.account_id, Role.OWNER)
    answer = await client.get("/interviews/list.csv", params={"q": "nurse"})
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["interview"], row["candidate"], row["state"]) == (job_id, "'=1+1", "completed")
    assert (row["model_recommendation"], row["people"], row["file"]) == ("Advance", "", "call.wav")
    assert answer.headers["cache-control"] == "no-store"


async def test_several_interviews_are_erased_after_a_question(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The question names them; those that are not over are kept and named; nothing of others is touched."""
    done = [await scored(client, services, pool, customer, label=name) for name in ("Ada", "Grace")]
    waiting = str((await submit(client, customer, label="Edith")).json()["job_id"])
    foreign = await scored(client, services, pool, await new_customer(services.database), label="Somebody")
    token = await as_role(client, services, customer.account_id, Role.OWNER)
    chosen = [*done, foreign, waiting]
    asked = (await client.get("/interviews/delete", params={"job": chosen})).text
    assert "Erase 3 interviews?" in asked
    assert "Somebody" not in asked
    jobs = re.search(r'name="jobs" value="([^"]+)"', asked)[1]  # type: ignore[index]
    assert (await client.post("/interviews/delete", data={"jobs": jobs})).status_code == 422
    answer = await client.post("/interviews/delete", data={"jobs": ",".join(chosen), "form_token": token})
    assert answer.status_code == 409
    assert "Edith" in answer.text
    assert "Ada" not in answer.text
    text = (await client.get("/interviews")).text
    assert text.count("Erased interview") == 2
    assert (await client.get("/interviews/delete")).status_code == 303
    assert (await client.get("/interviews/delete", params={"job": "\0"})).status_code == 303
    async with services.database.transaction() as session:
        assert (await queries.get_job(session, foreign)).result is not None
