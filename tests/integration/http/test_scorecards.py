"""Scorecards over the API."""

import csv
import io

import docx
import httpx
import pypdf
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.pipeline.scorecard.document import NOTICE
from serve_app.services import Services
from tests.support.calls import error, submit
from tests.support.world import Customer, new_customer


@pytest.fixture
async def scorecard(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """The URL of a completed job's scorecard."""
    job_id = (await submit(client, customer, role_title="#Backend *Engineer*")).json()["job_id"]
    await Executor(services, pool).run_next()
    return f"/v1/jobs/{job_id}/scorecard"


async def test_a_scorecard_comes_in_every_format(client: httpx.AsyncClient, customer: Customer, scorecard: str) -> None:
    """Each has its media type, says that a person decides, and can be opened."""
    answers = {}
    for name in ("json", "pdf", "docx", "md", "csv", "ashby", "greenhouse"):
        answers[name] = await client.get(scorecard, params={"format": name}, headers=customer.headers)
        assert answers[name].status_code == 200, answers[name].text
    assert answers["json"].json()["notice"] == NOTICE
    assert answers["json"].json()["transcript"] is None
    assert "#Backend *Engineer*" in pypdf.PdfReader(io.BytesIO(answers["pdf"].content)).pages[0].extract_text()
    assert docx.Document(io.BytesIO(answers["docx"].content)).paragraphs[0].text == "Interview scorecard"
    assert answers["md"].text.startswith("# Interview scorecard\n")
    assert answers["md"].headers["content-type"] == "text/markdown; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answers["csv"].text, newline="")))
    assert [row["competency"] for row in rows] == [score["competency"] for score in answers["json"].json()["scores"]]
    assert answers["ashby"].json()["feedbackForm"]["fieldSubmissions"]
    assert NOTICE in answers["greenhouse"].json()["body"]
    assert answers["pdf"].headers["content-disposition"].endswith('.pdf"')
    assert answers["pdf"].headers["content-type"] == "application/pdf"


async def test_sections_of_a_scorecard_are_chosen(
    client: httpx.AsyncClient, customer: Customer, scorecard: str
) -> None:
    """Only they are there. Formats that hold the scores alone refuse them, and unknown ones are refused."""
    params = {"sections": ["transcript", "summary"]}
    body = (await client.get(scorecard, params=params, headers=customer.headers)).json()
    assert body["sections"] == ["summary", "transcript"]
    assert body["transcript"]
    assert (body["scores"], body["speakers"]) == (None, None)
    for refused, field in [
        ({"format": "csv", "sections": "scores"}, "sections"),
        ({"sections": "salary"}, "sections.0"),
        ({"format": "rtf"}, "format"),
        ({"hidename": "true"}, "hidename"),
    ]:
        answer = await client.get(scorecard, params=refused, headers=customer.headers)
        assert (answer.status_code, error(answer), answer.json()["detail"]["field"]) == (422, "invalid_field", field)


async def test_only_a_completed_job_of_ones_own_has_a_scorecard(
    client: httpx.AsyncClient, services: Services, customer: Customer, scorecard: str
) -> None:
    """Others get 404; a queued or deleted job gets 409."""
    stranger = await new_customer(services.database)
    assert (await client.get(scorecard, headers=stranger.headers)).status_code == 404
    queued = (await submit(client, customer)).json()["job_id"]
    answer = await client.get(f"/v1/jobs/{queued}/scorecard?format=pdf", headers=customer.headers)
    assert (answer.status_code, error(answer)) == (409, "conflict")
    await client.delete(scorecard.removesuffix("/scorecard"), headers=customer.headers)
    assert (await client.get(scorecard, headers=customer.headers)).status_code == 409


async def test_a_name_is_hidden_on_request(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The candidate's name from the metadata is in the scorecard, and not in the one without a name."""
    job_id = (await submit(client, customer, metadata='{"candidate": "Jane Doe"}')).json()["job_id"]
    await Executor(services, pool).run_next()
    url = f"/v1/jobs/{job_id}/scorecard?format=md"
    assert "- Candidate: Jane Doe" in (await client.get(url, headers=customer.headers)).text
    assert "Jane" not in (await client.get(f"{url}&hide_name=true", headers=customer.headers)).text
