"""People's judgement and corrections on the page of a finished interview, without a browser."""

import re
from typing import Any

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.accounts.actors import Role
from serve_app.executor import Executor
from serve_app.http.request_examples import RUBRIC
from serve_app.jobs import queries
from serve_app.services import Services
from tests.integration.http.test_interview_pages import HOSTILE, finished
from tests.support.scored import score
from tests.support.visitors import as_role
from tests.support.world import Customer, new_customer

COMPETENCIES = ("problem_solving", "communication", "teamwork", "motivation", "technical_depth")


@pytest.fixture
async def page(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A finished interview whose every competency the model has given level 4."""
    page = await finished(client, services, pool, customer)
    await score(services.database, page.rpartition("/")[2])
    return page


@pytest.fixture
async def token(client: httpx.AsyncClient, services: Services, customer: Customer) -> str:
    """The token of a signed-in owner's forms."""
    return await as_role(client, services, customer.account_id, Role.OWNER)


async def send(client: httpx.AsyncClient, path: str, token: str, **body: Any) -> httpx.Response:
    """What a page's script sends."""
    return await client.post(path, json=body, headers={"X-Form-Token": token})


def rated(level: int | None) -> dict[str, Any]:
    """The same rating of every competency."""
    return {slug: {"score": level, "reason": HOSTILE} for slug in COMPETENCIES}


async def test_a_persons_ratings_stand_beside_the_models(
    client: httpx.AsyncClient, services: Services, page: str, token: str
) -> None:
    """The page shows who said what, how far apart they are, and the model's unchanged score."""
    scores = {"teamwork": {"score": 2, "reason": HOSTILE}, "motivation": {"score": 4}}
    answer = await send(client, f"{page}/review", token, scores=scores, recommendation="hold", note="Ask once more.")
    assert answer.status_code == 200, answer.text
    text = (await client.get(page)).text
    assert "2 levels below the model" in text
    assert "as the model" in text
    assert "the model: Advance" in text
    assert "2 ratings of people differ from the model" in text
    assert "Ask once more." in text
    assert "<script>alert" not in text
    async with services.database.transaction() as session:
        job = await queries.get_job(session, page.rpartition("/")[2])
    assert job.result
    assert job.result["assessment"]["scores"]["teamwork"]["score"] == 4


async def test_a_review_is_of_who_is_signed_in(client: httpx.AsyncClient, page: str, token: str) -> None:
    """Another name in the request is not taken; the form shows the visitor's own ratings again."""
    first = (await send(client, f"{page}/review", token, reviewer="somebody else", note="x")).json()
    assert first["reviewer"].startswith("owner@")
    await send(client, f"{page}/review", token, scores={"teamwork": {"score": 3}})
    text = (await client.get(page)).text
    assert 'name="score-teamwork" value="3" checked' in text
    assert "somebody else" not in text


async def test_judging_and_correcting_need_the_pages_token_and_the_owner(
    client: httpx.AsyncClient, services: Services, page: str, token: str
) -> None:
    """A foreign site's request is refused; another account gets the 404 of an unknown interview."""
    for action in ("review", "assessments"):
        assert (await send(client, f"{page}/{action}", "", note="x")).status_code == 422
    stranger = await as_role(client, services, (await new_customer(services.database)).account_id, Role.OWNER)
    for action, body in (("review", {"note": "x"}), ("assessments", {})):
        assert (await send(client, f"{page}/{action}", stranger, **body)).status_code == 404


async def test_a_rule_hides_the_model_until_one_has_rated(client: httpx.AsyncClient, page: str, token: str) -> None:
    """Neither page nor files show the model's part to somebody who has not rated every competency."""
    await client.post("/settings/account", data={"form_token": token, "rate_first": "yes"})
    text = (await client.get(page)).text
    assert "Rate first" in text
    for told in ("by the model", "Told.", "Advance</p>", "A note.", "<mark"):
        assert told not in text, told
    assert (await client.get(f"{page}/scorecard.pdf")).status_code == 409
    assert (await client.get(f"{page}/transcript.txt")).status_code == 200

    await send(client, f"{page}/review", token, scores={"teamwork": {"score": 2}})
    text = (await client.get(page)).text
    assert "Told." not in text
    assert 'name="score-teamwork" value="2" checked' in text

    await send(client, f"{page}/review", token, scores=rated(None))
    text = (await client.get(page)).text
    assert "Told." in text
    assert "The interview does not tell" in text
    assert (await client.get(f"{page}/scorecard.pdf")).status_code == 200


async def test_the_rule_is_taken_back(client: httpx.AsyncClient, page: str, token: str) -> None:
    """Without it everybody sees the model's part."""
    await client.post("/settings/account", data={"form_token": token, "rate_first": "yes"})
    await client.post("/settings/account", data={"form_token": token})
    assert "Told." in (await client.get(page)).text


async def test_a_corrected_version_shows_what_changed(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, page: str, token: str
) -> None:
    """Role, candidate, names and lines are named; each version links to the other, and the first one stays."""
    body = {
        "role_title": "Baker",
        "candidate": "SPEAKER_00",
        "speakers": {"SPEAKER_00": "Ada <b>"},
        "lines": [{"line": 0, "text": "Quite other words."}],
    }
    answer = await send(client, f"{page}/assessments", token, **body)
    assert answer.status_code == 202, answer.text
    newer = f"/interviews/{answer.json()['job_id']}"
    assert "in work" in (await client.get(page)).text
    await Executor(services, pool).run_next()
    text = (await client.get(newer)).text
    assert "What changed" in text
    assert "→ Baker." in text
    assert "→ Ada &lt;b&gt;." in text
    assert "is named Ada &lt;b&gt;." in text
    assert "1 line corrected" in text
    assert '<span class="corrected" title="Before: ' in text
    assert f'<a href="{page}"' in text
    assert f'<a href="{newer}" aria-current="page"' in text
    first = (await client.get(page)).text
    assert "Quite other words." not in first
    assert f'<a href="{newer}"' in first


async def test_a_saved_rubric_is_chosen_for_another_assessment(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, page: str, token: str
) -> None:
    """The form lists it, and the new version says that its rubric is another one."""
    saved = await client.post("/rubrics/save", json=RUBRIC, headers={"X-Form-Token": token})
    assert saved.status_code == 200, saved.text
    text = (await client.get(page)).text
    rubric_id = re.search(rf'<option value="(\w+)">{RUBRIC["name"]}, version 1<', text)[1]  # type: ignore[index]
    answer = await send(client, f"{page}/assessments", token, rubric_id=rubric_id)
    await Executor(services, pool).run_next()
    text = (await client.get(f"/interviews/{answer.json()['job_id']}")).text
    assert re.search(r"Rubric: 2026-12 → [\w-]+\.v1\.", text)
    assert "not in the rubric" in text


async def test_a_correction_that_cannot_be_made_says_why(client: httpx.AsyncClient, page: str, token: str) -> None:
    """The answer names the field and the value, and nothing is charged."""
    refused = await send(client, f"{page}/assessments", token, lines=[{"line": 900, "text": "x"}])
    assert refused.status_code == 422
    assert "no line 900" in refused.json()["detail"]["message"]
    assert "99 credits to spend" in (await client.get("/interviews")).text


async def test_a_viewer_sees_the_model_and_cannot_judge(
    client: httpx.AsyncClient, services: Services, customer: Customer, page: str, token: str
) -> None:
    """The rule does not bind who cannot rate; the page has no form, and a request is refused."""
    await client.post("/settings/account", data={"form_token": token, "rate_first": "yes"})
    viewer = await as_role(client, services, customer.account_id, Role.VIEWER)
    text = (await client.get(page)).text
    assert "Told." in text
    assert "Your rating" not in text
    assert "Assess again" not in text
    for action, body in (("review", {"note": "x"}), ("assessments", {})):
        assert (await send(client, f"{page}/{action}", viewer, **body)).status_code == 403
