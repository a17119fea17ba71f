"""Saved rubrics: versions, names, who may do what, and jobs that are assessed by one."""

import json
from copy import deepcopy
from typing import Any

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http.request_examples import RUBRIC
from serve_app.services import Services
from tests.support.calls import error, submit
from tests.support.world import Customer, new_customer

RUBRICS = "/v1/rubrics"


async def saved(client: httpx.AsyncClient, customer: Customer, **changes: Any) -> dict[str, Any]:
    """Save the example rubric."""
    answer = await client.post(RUBRICS, json=RUBRIC | changes, headers=customer.headers)
    assert answer.status_code == 201, answer.text
    rubric: dict[str, Any] = answer.json()
    return rubric


def other() -> dict[str, Any]:
    """The example with another description."""
    changed: dict[str, Any] = deepcopy(RUBRIC)
    changed["competencies"][0]["description"] = "Hands a shift over in writing."
    return changed


async def test_a_change_is_a_new_version_and_the_first_one_stays(client: httpx.AsyncClient, customer: Customer) -> None:
    """Versions are numbered, listed newest first, and can be read; a save without a change makes none."""
    rubric = await saved(client, customer)
    path = f"{RUBRICS}/{rubric['rubric_id']}"
    assert (rubric["version"], rubric["version_name"]) == (1, "Night-nurse.v1")
    changed = await client.put(path, json=other(), headers=customer.headers)
    again = await client.put(path, json=other(), headers=customer.headers)
    assert (changed.json()["version"], again.json()["version"]) == (2, 2)
    first = (await client.get(path, params={"version": 1}, headers=customer.headers)).json()
    assert first["competencies"] == rubric["competencies"]
    versions = (await client.get(f"{path}/versions", headers=customer.headers)).json()["data"]
    assert [one["version"] for one in versions] == [2, 1]
    listed = (await client.get(RUBRICS, headers=customer.headers)).json()["data"]
    assert [one["version"] for one in listed] == [2]
    missing = await client.get(path, params={"version": 3}, headers=customer.headers)
    assert (missing.status_code, "Its newest is 2" in missing.text) == (404, True)


async def test_names_are_unique_in_an_account(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """A second rubric of the same name is refused, in another account it is not; a rename keeps the version."""
    rubric = await saved(client, customer)
    twice = await client.post(RUBRICS, json=RUBRIC, headers=customer.headers)
    assert (twice.status_code, error(twice)) == (409, "conflict")
    await saved(client, await new_customer(services.database))
    path = f"{RUBRICS}/{rubric['rubric_id']}"
    renamed = await client.put(path, json=RUBRIC | {"name": "Day nurse"}, headers=customer.headers)
    assert (renamed.json()["version"], renamed.json()["version_name"]) == (1, "Day-nurse.v1")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": "Speaks with a native accent."}, "competencies.0.description"),
        ({"slug": "Not a slug"}, "competencies.0.slug"),
        ({"anchors": {"1": "One."}}, "competencies.0.anchors"),
        ({"age": 3}, "competencies.0.age"),
    ],
)
async def test_the_rules_of_a_submitted_rubric_hold(
    client: httpx.AsyncClient, customer: Customer, change: dict[str, Any], field: str
) -> None:
    """What a job's rubric may not ask, a saved one may not either; the refusal names the field."""
    wrong: dict[str, Any] = deepcopy(RUBRIC)
    wrong["competencies"][0] |= change
    answer = await client.post(RUBRICS, json=wrong, headers=customer.headers)
    assert (answer.status_code, answer.json()["detail"]["field"]) == (422, field)


async def test_another_accounts_rubric_does_not_exist(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Reading, changing, deleting and naming it in a submit fail, and it stays as it was."""
    rubric = await saved(client, customer)
    stranger = await new_customer(services.database)
    path = f"{RUBRICS}/{rubric['rubric_id']}"
    for method, address in (("GET", path), ("GET", f"{path}/versions"), ("PUT", path), ("DELETE", path)):
        body = {"json": other()} if method == "PUT" else {}
        assert (await client.request(method, address, headers=stranger.headers, **body)).status_code == 404
    refused = await submit(client, stranger, rubric_id=rubric["rubric_id"])
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "rubric_id")
    assert (await client.get(path, headers=customer.headers)).json() == rubric


async def test_a_job_is_assessed_by_a_saved_rubric_and_keeps_its_version(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The result names version 1 also after a change and after the rubric is deleted."""
    rubric = await saved(client, customer)
    path = f"{RUBRICS}/{rubric['rubric_id']}"
    job_id = (await submit(client, customer, rubric_id=rubric["rubric_id"])).json()["job_id"]
    await client.put(path, json=other(), headers=customer.headers)
    assert (await client.delete(path, headers=customer.headers)).status_code == 204
    await Executor(services, pool).run_next()
    result = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()["result"]
    assert result["rubric"]["version"] == "Night-nurse.v1"
    assert list(result["assessment"]["scores"]) == ["handover"]
    assert result["rubric"]["competencies"][0]["description"] == RUBRIC["competencies"][0]["description"]  # type: ignore[index]


async def test_a_finished_job_is_assessed_again_by_a_saved_rubric(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The further assessment has the rubric's competencies; a rubric of both kinds is refused."""
    rubric = await saved(client, customer)
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    path, form = f"/v1/jobs/{job_id}/assessments", {"rubric_id": rubric["rubric_id"]}
    both = form | {"rubric": {"competencies": RUBRIC["competencies"]}}
    refused = await client.post(path, json=both, headers=customer.headers)
    assert refused.json()["detail"]["field"] == "rubric_id"
    further = (await client.post(path, json=form, headers=customer.headers)).json()["job_id"]
    await Executor(services, pool).run_next()
    result = (await client.get(f"/v1/jobs/{further}", headers=customer.headers)).json()["result"]
    assert list(result["assessment"]["scores"]) == ["handover"]


async def test_both_kinds_of_rubric_and_demos_with_one_are_refused(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """The refusal names `rubric_id`."""
    rubric = await saved(client, customer)
    own = json.dumps({"competencies": RUBRIC["competencies"]})
    both = await submit(client, customer, rubric_id=rubric["rubric_id"], rubric=own)
    form = {"role_title": "Nurse", "rubric_id": rubric["rubric_id"]}
    demo = await client.post("/v1/demo/recruitscreen/jobs", data=form, files={"file": ("a.wav", b"x")})
    for refused in (both, demo):
        assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "rubric_id")
