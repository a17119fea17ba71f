"""People's reviews of a result, and the agreement between people and the model, over the API."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs.models import Job
from serve_app.services import Services
from serve_app.webhooks.models import Event, EventType
from tests.support.calls import error, stream, submit
from tests.support.world import RECRUITSCREEN, Customer, new_customer

RUBRIC = RECRUITSCREEN.assessment.rubric_version


async def completed(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A completed job, which the fake assessor has left without scores."""
    job_id = str((await submit(client, customer)).json()["job_id"])
    await Executor(services, pool).run_next()
    return job_id


async def score_as(services: Services, job_id: str, recommendation: str, **scores: int | None) -> None:
    """Write a model's scores into a result."""
    async with services.database.transaction() as session:
        job = await session.get_one(Job, job_id)
        result = json.loads(json.dumps(job.result))
        result["assessment"]["recommendation"] = recommendation
        for slug, score in scores.items():
            result["assessment"]["scores"][slug]["score"] = score
        await session.exec(update(Job).where(col(Job.id) == job_id).values(result=result))


async def review(client: httpx.AsyncClient, customer: Customer, job_id: str, **body: Any) -> httpx.Response:
    return await client.post(f"/v1/jobs/{job_id}/review", json=body, headers=customer.headers)


async def shown(client: httpx.AsyncClient, customer: Customer, job_id: str) -> list[dict[str, Any]]:
    """The reviews in the job's result."""
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    return list(job["result"]["reviews"])


async def test_a_review_stands_beside_the_models_scores(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """The result holds the person's ratings and reasons, and the model's values that they stand beside."""
    job_id = await completed(client, services, pool, customer)
    assert await shown(client, customer, job_id) == []
    await score_as(services, job_id, "hold", teamwork=2)
    scores = {"teamwork": {"score": 4, "reason": "Named her own part."}, "motivation": {"score": None}}
    answer = await review(client, customer, job_id, reviewer="R. 7", scores=scores, recommendation="advance", note="!")
    assert answer.status_code == 200, answer.text
    written = answer.json()
    assert written | {"created_at": "", "updated_at": ""} == {
        "reviewer": "R. 7",
        "recommendation": "advance",
        "model_recommendation": "hold",
        "scores": {
            "teamwork": {"score": 4, "reason": "Named her own part.", "model_score": 2},
            "motivation": {"score": None, "reason": None, "model_score": None},
        },
        "note": "!",
        "model": "fake-assessor",
        "rubric_version": RUBRIC,
        "created_at": "",
        "updated_at": "",
    }
    assert await shown(client, customer, job_id) == [written]


async def test_a_reviewer_has_one_review_of_a_job(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Another one of the same reviewer replaces it, and keeps its `created_at`; without a name, the key counts."""
    job_id = await completed(client, services, pool, customer)
    first = (await review(client, customer, job_id, reviewer="a", note="one")).json()
    other = (await review(client, customer, job_id, reviewer="b", note="two")).json()
    again = (await review(client, customer, job_id, reviewer="a", note="three")).json()
    assert again["created_at"] == first["created_at"] < again["updated_at"]
    assert await shown(client, customer, job_id) == [other, again]
    assert (await review(client, customer, job_id, note="of the key")).json()["reviewer"] == customer.secret[
        : len("lv_sk_all_") + 4
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"scores": {"teamwork": {"score": 6}}}, "scores.teamwork.score"),
        ({"scores": {"teamwork": {}}}, "scores.teamwork.score"),
        ({"scores": {"charm": {"score": 3}}}, "scores"),
        ({"recommendation": "hire"}, "recommendation"),
        ({"note": "a\0b"}, "note"),
        ({"score": 3, "note": "x"}, "score"),
    ],
)
async def test_a_bad_review_is_refused(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, body: Any, field: str
) -> None:
    """The 422 names the field, and nothing is stored."""
    job_id = await completed(client, services, pool, customer)
    answer = await review(client, customer, job_id, **body)
    assert (answer.status_code, error(answer)) == (422, "invalid_field")
    assert answer.json()["detail"]["field"] == field
    assert await shown(client, customer, job_id) == []


async def test_only_a_result_can_be_reviewed(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """A job that is queued or deleted gets 409, a stranger's 404; a deletion erases the reviews, too."""
    queued = (await submit(client, customer)).json()["job_id"]
    assert (await review(client, customer, queued, note="x")).status_code == 409
    await client.post(f"/v1/jobs/{queued}/cancel", headers=customer.headers)
    job_id = await completed(client, services, pool, customer)
    stranger = await new_customer(services.database)
    assert (await review(client, stranger, job_id, note="x")).status_code == 404
    await review(client, customer, job_id, note="x")
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    assert (await review(client, customer, job_id, note="x")).status_code == 409
    async with services.database.transaction() as session:
        assert (await session.get_one(Job, job_id)).reviews == []


async def test_every_review_is_told_to_webhooks_without_its_content(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """`job.reviewed` is written with the review, and holds neither ratings nor names; a refused review is not told."""
    job_id = await completed(client, services, pool, customer)
    for body in ({"note": "one"}, {"note": "two"}, {"scores": {"charm": {"score": 3}}}):
        await review(client, customer, job_id, reviewer="Jane", **body)
    async with services.database.transaction() as session:
        events = (await session.exec(select(Event).where(col(Event.type) == EventType.JOB_REVIEWED))).all()
    assert [(event.job_id, event.account_id) for event in events] == [(job_id, customer.account_id)] * 2
    assert events[0].data.keys() == {"job_id", "status", "vertical", "detail", "seq"}


async def agreement(client: httpx.AsyncClient, customer: Customer, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/v1/reviews/agreement{query}", headers=customer.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_agreement_is_counted_by_competency(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Kappa and counts of a made-up account are those computed by hand; scores of one side are counted apart."""
    pairs = [(4, 4), (4, 4), (2, 2), (2, 3), (3, 3), (5, 3), (None, 1), (1, None), (None, None)]
    for number, (person, model) in enumerate(pairs):
        job_id = await completed(client, services, pool, customer)
        await score_as(services, job_id, "hold" if number % 2 else "advance", teamwork=model)
        body = {"scores": {"teamwork": {"score": person}}, "recommendation": "advance"}
        assert (await review(client, customer, job_id, reviewer=f"r{number % 3}", **body)).status_code == 200
    found = await agreement(client, customer)
    assert found["reviews"] == 9
    # Six pairs: observed agreement 4/6, expected (2·2 + 2·1 + 1·3)/36 with persons 2,2,1,1 and models 4:2, 2:1, 3:3.
    assert found["competencies"]["teamwork"] == {
        "pairs": 6, "same": 4, "within_one": 5, "person_only": 1, "model_only": 1,
        "kappa": round(1 - (2 / 6) / (1 - 9 / 36), 3),
        "weighted_kappa": round(1 - 6 * (1 + 4) / SQUARES, 3),
        "counts": {"2": {"2": 1, "3": 1}, "3": {"3": 1}, "4": {"4": 2}, "5": {"3": 1}},
    }  # fmt: skip
    assert found["recommendation"] == {
        "pairs": 9, "same": 5, "kappa": 0.0, "counts": {"advance": {"advance": 5, "hold": 4}},
    }  # fmt: skip


SQUARES = sum((p - m) ** 2 for p in (4, 4, 2, 2, 3, 5) for m in (4, 4, 2, 3, 3, 3))
"""The squared distances that chance would give: every person's rating against every model's."""


async def test_agreement_counts_the_callers_reviews_that_are_asked_for(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Filters by reviewer, model, rubric version and product; other accounts and deleted jobs do not count."""
    one, other = [await completed(client, services, pool, customer) for _ in range(2)]
    for job_id, reviewer in ((one, "a"), (one, "b"), (other, "a")):
        await review(client, customer, job_id, reviewer=reviewer, note="x")
    counts = {
        query: (await agreement(client, customer, query))["reviews"]
        for query in ("", "?reviewer=a", f"?model=fake-assessor&rubric_version={RUBRIC}", "?model=x", "?vertical=x")
    }
    assert list(counts.values()) == [3, 2, 3, 0, 0]
    assert (await agreement(client, await new_customer(services.database)))["reviews"] == 0
    await client.delete(f"/v1/jobs/{other}", headers=customer.headers)
    assert (await agreement(client, customer))["reviews"] == 2
    assert (await client.get("/v1/reviews/agreement?q=x", headers=customer.headers)).status_code == 422


async def test_reviews_follow_the_end_of_the_stream(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Each review is an event behind the terminal one, without its content; the stream still ends, and resumes."""
    job_id = await completed(client, services, pool, customer)
    before = await stream(client, customer, job_id)
    for reviewer in ("a", "b", "a"):
        await review(client, customer, job_id, reviewer=reviewer, note="A secret note")
    after = await stream(client, customer, job_id)
    assert after[: len(before)] == before
    assert before[-1][2]["terminal"] is True
    told = after[len(before) :]
    assert [(name, data["status"], data["terminal"], data["reviews"]) for name, _, data in told] == [
        ("review", "completed", False, 1), ("review", "completed", False, 2), ("review", "completed", False, 2),
    ]  # fmt: skip
    assert [seq for _, seq, _ in after] == list(range(1, len(after) + 1))
    assert "secret" not in json.dumps([data for _, _, data in told])
    assert await stream(client, customer, job_id, last_event_id=str(before[-1][1])) == told
    headers = customer.headers | {"Last-Event-ID": str(after[-1][1])}
    assert (await client.get(f"/v1/jobs/{job_id}/events", headers=headers)).status_code == 204
