"""The rubric pages: what is wrong is named field by field, versions can be read, a past interview is assessed again."""

import re
from copy import deepcopy
from typing import Any

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http.request_examples import RUBRIC
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.pages import signed_in
from tests.support.world import Customer, new_customer

HOSTILE = "<script>alert(1)</script>"


async def save(client: httpx.AsyncClient, token: str, rubric: Any, rubric_id: str = "") -> httpx.Response:
    """Save as the form's script does."""
    path = f"/rubrics/save?rubric_id={rubric_id}"
    return await client.post(path, json=rubric, headers={"X-Form-Token": token})


async def test_every_wrong_field_is_named(client: httpx.AsyncClient, customer: Customer) -> None:
    """All mistakes at once, each with the place in the form, and nothing is saved."""
    token = await signed_in(client, customer)
    wrong: dict[str, Any] = deepcopy(RUBRIC) | {"name": " "}
    wrong["competencies"][0] |= {"slug": "X", "description": "Speaks with a native accent."}
    wrong["competencies"][0]["anchors"]["3"] = ""
    answer = await save(client, token, wrong)
    assert answer.status_code == 422
    fields = {each["field"].removesuffix(".[key]") for each in answer.json()["errors"]}
    assert {"name", "competencies.0.slug", "competencies.0.description", "competencies.0.anchors.3"} == fields
    assert "No rubric of your own yet" in (await client.get("/rubrics")).text
    assert (await client.post("/rubrics/save", json=RUBRIC)).status_code == 422


async def test_a_rubric_is_saved_changed_shown_in_its_versions_and_deleted(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """The page shows the newest version and earlier ones; hostile text stays text; a used name is refused in place."""
    token = await signed_in(client, customer)
    rubric_id = (await save(client, token, RUBRIC | {"name": HOSTILE})).json()["rubric_id"]
    changed: dict[str, Any] = deepcopy(RUBRIC) | {"name": HOSTILE}
    changed["competencies"][0]["probe"] = "What did you write down?"
    assert (await save(client, token, changed, rubric_id)).json()["version"] == 2
    page = await client.get(f"/rubrics/{rubric_id}")
    assert "What did you write down?" in page.text
    earlier = (await client.get(f"/rubrics/{rubric_id}?version=1")).text
    assert "This is an earlier version" in earlier
    assert "What did you write down?" not in earlier
    for path in ("/rubrics", f"/rubrics/{rubric_id}", "/interviews/new"):
        answer = await client.get(path)
        assert "<script>alert" not in answer.text
        assert not re.search(r"<style|<script>|\bstyle=|\bon\w+=", answer.text)
        assert answer.headers["cache-control"] == "no-store"
    twice = await save(client, token, RUBRIC | {"name": HOSTILE})
    assert (twice.status_code, twice.json()["errors"][0]["field"]) == (409, "name")
    await client.post(f"/rubrics/{rubric_id}/delete", data={"form_token": token})
    assert (await client.get(f"/rubrics/{rubric_id}")).status_code == 404


async def test_a_products_rubric_can_be_copied_as_it_is(client: httpx.AsyncClient, customer: Customer) -> None:
    """The form holds the product's competencies."""
    await signed_in(client, customer)
    page = (await client.get("/rubrics/new?product=recruitscreen")).text
    assert page.count('<fieldset class="competency">') == 5 + 1  # and the empty one, for another
    assert 'value="problem_solving"' in page


async def test_a_past_interview_is_assessed_again_by_a_rubric(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The preview is another version of the scorecard, and has the rubric's competencies alone."""
    token = await signed_in(client, customer)
    rubric_id = (await save(client, token, RUBRIC)).json()["rubric_id"]
    assert "There is no finished interview yet" in (await client.get(f"/rubrics/{rubric_id}")).text
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    assert f'value="{job_id}"' in (await client.get(f"/rubrics/{rubric_id}")).text
    form = {"form_token": token, "job_id": job_id}
    preview = (await client.post(f"/rubrics/{rubric_id}/preview", data=form)).headers["location"]
    await Executor(services, pool).run_next()
    page = (await client.get(preview)).text
    assert "Handover" in page
    assert "Night-nurse.v1" in page


async def test_rubrics_and_interviews_of_other_accounts_are_out_of_reach(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Neither a foreign rubric nor a foreign interview takes part in a preview, and neither is offered."""
    token = await signed_in(client, customer)
    rubric_id = (await save(client, token, RUBRIC)).json()["rubric_id"]
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    token = await signed_in(client, await new_customer(services.database))
    own = (await save(client, token, RUBRIC)).json()["rubric_id"]
    assert "Night nurse, version 1" in (await client.get("/interviews/new")).text
    assert (await client.get(f"/rubrics/{rubric_id}")).status_code == 404
    assert job_id not in (await client.get(f"/rubrics/{own}")).text
    for rubric in (rubric_id, own):
        form = {"form_token": token, "job_id": job_id}
        assert (await client.post(f"/rubrics/{rubric}/preview", data=form)).status_code == 404
