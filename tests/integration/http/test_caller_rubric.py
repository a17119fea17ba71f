"""Jobs with a rubric of the caller."""

import json
from typing import Any

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import error, submit
from tests.support.world import Customer
from tests.unit.verticals.test_rubric import OWN, changed


async def balance(client: httpx.AsyncClient, customer: Customer) -> int:
    return int((await client.get("/v1/credits", headers=customer.headers)).json()["balance"])


async def test_a_job_is_scored_by_its_callers_rubric(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The result holds the caller's competencies, version and rubric, and the usage of the models."""
    sent = await submit(client, customer, rubric=json.dumps(OWN | {"version": "sql-1"}))
    assert sent.status_code == 202, sent.text
    await Executor(services, pool).run_next()
    result = (await client.get(sent.json()["status_url"], headers=customer.headers)).json()["result"]
    assert list(result["assessment"]["scores"]) == ["sql"]
    assert result["assessment"]["rubric_version"] == result["rubric"]["version"] == "sql-1"
    assert result["rubric"]["competencies"][0]["points"] == OWN["competencies"][0]["points"]
    assert result["usage"]["stages"].keys() == {"transcription", "diarization", "assessment"}
    assert result["usage"]["assessor"].keys() == {"calls", "prompt_tokens", "cached_tokens", "completion_tokens"}
    assert "usage" not in result["assessment"]


@pytest.mark.parametrize(
    ("rubric", "named"),
    [
        ("{", "rubric"),
        ("[]", "rubric"),
        (json.dumps({"competencies": []}), "rubric.competencies"),
        (json.dumps(changed(name="")), "rubric.competencies.0.name"),
        (json.dumps(changed(anchors={"1": "a"})), "rubric.competencies.0.anchors"),
        (json.dumps(changed(description="Speaks without an accent.")), "asks for accent"),
        (json.dumps(changed(slug="fluency")), "rubric.competencies.0.slug"),
    ],
)
async def test_an_invalid_rubric_is_refused_without_a_charge(
    client: httpx.AsyncClient, customer: Customer, rubric: str, named: str
) -> None:
    """The error names the field and the mistake, and no implementation detail."""
    before = await balance(client, customer)
    answer = await submit(client, customer, rubric=rubric)
    assert (answer.status_code, error(answer)) == (422, "invalid_field"), answer.text
    message: Any = answer.json()["detail"]["message"]
    assert named in message
    assert "Value error" not in message
    assert await balance(client, customer) == before


async def test_a_rubric_over_the_form_limit_is_refused(client: httpx.AsyncClient, customer: Customer) -> None:
    """A rubric of 70 kB exceeds the limit of a form field."""
    answer = await submit(client, customer, rubric=json.dumps(OWN | {"version": "x" * 70_000}))
    assert answer.status_code in {400, 413, 422}
