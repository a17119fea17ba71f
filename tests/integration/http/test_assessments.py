"""Further assessments of a transcript over the API: what changes, what stays, price, idempotency, erasure."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.models import Job, JobCheckpoint, JobState
from serve_app.services import Services
from tests.support.calls import JOBS, error, stream, submit
from tests.support.fakes import local_pool
from tests.support.world import Customer, new_customer, silence
from tests.unit.verticals.test_rubric import OWN


@pytest.fixture
async def judge(services: Services) -> AsyncIterator[LocalPool]:
    """A pool whose only working model is the assessor: the others fail when they are asked."""
    pool = local_pool(services.database, asr={"fail": "inference"}, diarizer={"fail": "inference"})
    yield pool
    await pool.close()


@pytest.fixture
async def original(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """A completed job of four seconds: two speakers with four words each."""
    fields = {"label": "Candidate 17", "metadata": '{"team": "x"}'}
    job_id = str((await submit(client, customer, seconds=4, **fields)).json()["job_id"])
    await Executor(services, pool).run_next()
    return job_id


async def ask(client: httpx.AsyncClient, customer: Customer, job_id: str, **body: Any) -> httpx.Response:
    headers = customer.headers | body.pop("headers", {})
    return await client.post(f"/v1/jobs/{job_id}/assessments", json=body, headers=headers)


async def get(client: httpx.AsyncClient, customer: Customer, job_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json())


async def assessed(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, job_id: str, **body: Any
) -> dict[str, Any]:
    """A further assessment, completed."""
    answer = await ask(client, customer, job_id, **body)
    assert answer.status_code == 202, answer.text
    await Executor(services, judge).run_next()
    job = await get(client, customer, answer.json()["job_id"])
    assert job["status"] == "completed", job
    return job


async def test_a_transcript_is_assessed_again_without_asr_or_diarization(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """The new job has its own rubric, role, price, states and stream; the first result stays as it is."""
    before = await get(client, customer, original)
    body = {"rubric": OWN, "role_title": "Baker", "candidate": "SPEAKER_00", "label": "As a baker"}
    answer = (await ask(client, customer, original, **body)).json()
    assert (answer["status"], answer["credits_charged"], answer["credits_remaining"]) == ("queued", 1, 98)
    await Executor(services, judge).run_next()
    job = await get(client, customer, answer["job_id"])
    result, first = job["result"], before["result"]
    assert list(result["assessment"]["scores"]) == [competency["slug"] for competency in OWN["competencies"]]
    assert result["assessment"]["summary"] == "A fake assessment for Baker."
    assert result["candidate"] == {
        "speaker": "SPEAKER_00",
        "confidence": 1.0,
        "source": "caller",
        "min_confidence": 0.75,
    }
    assert list(result["usage"]["stages"]) == ["assessment"]
    for same in ("transcript", "metrics", "input", "language", "duration_s"):
        assert result[same] == first[same], same
    assert (job["original_id"], job["label"], job["role_title"]) == (original, "As a baker", "Baker")
    assert [job[name] for name in ("file_name", "metadata", "language", "percent")] == [
        "call.wav",
        {"team": "x"},
        "en",
        100,
    ]
    assert job["expires_at"] == before["expires_at"]
    assert job["cost"]["reason"] == f"accepted another assessment of {original}"
    statuses = [data["status"] for name, _, data in await stream(client, customer, job["job_id"]) if name == "status"]
    assert statuses == ["queued", "loading_weights", "processing_inference", "completed"]
    assert await get(client, customer, original) == before


async def test_only_the_assessor_is_loaded(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """Its events name no other model, and its progress reaches 100 percent."""
    job = await assessed(client, services, judge, customer, original)
    events = [data for _, _, data in await stream(client, customer, job["job_id"])]
    assert {role for data in events if data.get("loading") for role in data["loading"]["roles"]} == {"assessor"}
    assert {data["stage"] for data in events if data.get("stage")} == {"assessment"}


async def test_inputs_that_are_left_out_stay_and_null_takes_them_away(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, judge: LocalPool, customer: Customer
) -> None:
    """A job with a rubric, a description and a stated candidate keeps them, or goes back to the product's defaults."""
    fields = {"rubric": json.dumps(OWN), "job_description": "Kneads dough.", "candidate": "first"}
    job_id = (await submit(client, customer, **fields)).json()["job_id"]
    await Executor(services, pool).run_next()
    kept = await assessed(client, services, judge, customer, job_id)
    plain = await assessed(
        client, services, judge, customer, job_id, rubric=None, job_description=None, candidate=None, role_title=None
    )
    assert [job["result"]["candidate"]["source"] for job in (kept, plain)] == ["caller", "guess"]
    assert [len(job["result"]["assessment"]["scores"]) for job in (kept, plain)] == [len(OWN["competencies"]), 5]
    async with services.database.transaction() as session:
        inputs = [(await session.get_one(Job, job["job_id"])).inputs for job in (kept, plain)]
    assert inputs[0]["job_description"] == "Kneads dough."
    assert inputs[1] == {"role_title": "Backend Engineer"}


async def test_corrections_and_names_stand_beside_the_original(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """Corrected rows hold the original text and speaker; talk metrics follow; names are shown in text exports."""
    first = (await get(client, customer, original))["result"]
    heard = [row["text"] for row in first["transcript"]]
    assert heard == ["word0 word1 word2 word3", "word4 word5 word6 word7"]
    lines = [{"line": 0, "text": "word0 one word3"}, {"line": 1, "speaker": "SPEAKER_02"}]
    names = {"SPEAKER_00": "Ms Interviewer"}
    job = await assessed(client, services, judge, customer, original, lines=lines, speakers=names)
    rows = job["result"]["transcript"]
    assert [(row["speaker"], row["text"]) for row in rows] == [
        ("SPEAKER_00", "word0 one word3"), ("SPEAKER_02", heard[1]),
    ]  # fmt: skip
    assert rows[0]["original"] == {"speaker": "SPEAKER_00", "text": heard[0]}
    assert rows[1]["original"] == {"speaker": "SPEAKER_01", "text": heard[1]}
    assert [row["start"] for row in rows] == [row["start"] for row in first["transcript"]]
    assert list(job["result"]["metrics"]["talk_ratio"]) == ["SPEAKER_00", "SPEAKER_02"]
    assert job["result"]["speakers"]["SPEAKER_00"]["name"] == "Ms Interviewer"
    assert job["result"]["speakers"]["SPEAKER_02"]["name"] is None
    text = await client.get(f"/v1/jobs/{job['job_id']}/transcript?format=txt", headers=customer.headers)
    assert "Ms Interviewer (SPEAKER_00): word0 one word3" in text.text
    assert [row["text"] for row in (await get(client, customer, original))["result"]["transcript"]] == heard


async def test_an_assessment_builds_on_a_corrected_one(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """It keeps the corrections; a line that is corrected twice keeps the recogniser's text as its original."""
    one = await assessed(client, services, judge, customer, original, lines=[{"line": 0, "text": "first try"}])
    two = await assessed(
        client, services, judge, customer, one["job_id"], lines=[{"line": 0, "text": "second try"}], role_title="Nurse"
    )
    three = await assessed(client, services, judge, customer, two["job_id"], role_title="Baker")
    row = three["result"]["transcript"][0]
    assert (row["text"], row["original"]["text"]) == ("second try", "word0 word1 word2 word3")
    assert {job["original_id"] for job in (one, two, three)} == {original}
    for any_of_them in (original, two["job_id"]):
        listed = await client.get(f"/v1/jobs/{any_of_them}/assessments", headers=customer.headers)
        assert [
            (each["version"], each["job_id"], each["based_on"], each["role_title"], each["corrected_lines"])
            for each in listed.json()["data"]
        ] == [
            (1, original, None, "Backend Engineer", 0),
            (2, one["job_id"], original, "Backend Engineer", 1),
            (3, two["job_id"], one["job_id"], "Nurse", 1),
            (4, three["job_id"], two["job_id"], "Baker", 1),
        ]
    assert listed.json()["data"][0]["scores"].keys() == three["result"]["assessment"]["scores"].keys()


async def test_a_repeated_request_is_one_assessment(
    client: httpx.AsyncClient, customer: Customer, original: str
) -> None:
    """The same `Idempotency-Key` gives the same answer and one charge; with another body, 422."""
    headers = {"Idempotency-Key": "again"}
    first, same, other = [
        await ask(client, customer, original, role_title=role, headers=headers) for role in ("A", "A", "B")
    ]
    assert first.json() == same.json()
    assert other.status_code == 422
    listed = await client.get(f"/v1/jobs/{original}/assessments", headers=customer.headers)
    assert [each["credits_charged"] for each in listed.json()["data"]] == [1, 1]
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 98


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [{"line": 2, "text": "x"}]}, "lines"),
        ({"lines": [{"line": 0, "text": " "}]}, "lines.0.text"),
        ({"lines": [{"line": 0, "text": "x"}, {"line": 0, "text": "y"}]}, "lines"),
        ({"lines": [{"line": 0, "speaker": "Jane"}]}, "lines.0.speaker"),
        ({"speakers": {"SPEAKER_07": "Jane"}}, "speakers"),
        ({"candidate": "SPEAKER_07"}, "candidate"),
        ({"rubric": {"competencies": []}}, "rubric.competencies"),
        ({"language": "de"}, "language"),
    ],
)
async def test_what_the_transcript_does_not_have_is_refused(
    client: httpx.AsyncClient, customer: Customer, original: str, body: Any, field: str
) -> None:
    """The 422 names the field, and nothing is charged."""
    answer = await ask(client, customer, original, **body)
    assert (answer.status_code, error(answer)) == (422, "invalid_field"), answer.text
    assert answer.json()["detail"]["field"] == field
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 99


async def test_only_a_transcript_with_speech_is_assessed_again(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, original: str
) -> None:
    """Jobs that wait, that hold no speech or that are deleted get 409; a stranger gets 404; no credits, 402."""
    waiting = (await submit(client, customer)).json()["job_id"]
    assert (await ask(client, customer, waiting)).status_code == 409
    files = {"file": ("call.wav", silence(3))}
    sent = await client.post(JOBS, data={"role_title": "x"}, files=files, headers=customer.headers)
    for _ in range(2):
        await Executor(services, pool).run_next()
    assert (await ask(client, customer, sent.json()["job_id"])).status_code == 409
    assert (await ask(client, await new_customer(services.database), original)).status_code == 404
    poor = await new_customer(services.database, credits_=1)
    theirs = (await submit(client, poor)).json()["job_id"]
    await Executor(services, pool).run_next()
    assert (await ask(client, poor, theirs)).status_code == 402
    await client.delete(f"/v1/jobs/{original}", headers=customer.headers)
    assert (await ask(client, customer, original)).status_code == 409


async def test_a_failed_assessment_is_retried_without_charge(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """It keeps its transcript until its retry window ends."""
    services.settings.max_attempts = 1
    broken = local_pool(services.database, assessor={"fail": "inference"})
    job_id = (await ask(client, customer, original)).json()["job_id"]
    await Executor(services, broken).run_next()
    await broken.close()
    assert (await get(client, customer, job_id))["status"] == "failed"
    retried = await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)
    assert (retried.status_code, retried.json()["credits_charged"]) == (202, 0)
    await Executor(services, judge).run_next()
    assert (await get(client, customer, job_id))["status"] == "completed"


async def test_assessments_are_erased_with_the_original(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """Finished ones lose their content, waiting ones are canceled and returned; nothing of any of them is left."""
    finished = (await assessed(client, services, judge, customer, original, lines=[{"line": 0, "text": "x"}]))["job_id"]
    waiting = (await ask(client, customer, finished)).json()["job_id"]
    await client.delete(f"/v1/jobs/{original}", headers=customer.headers)
    shown = {job_id: await get(client, customer, job_id) for job_id in (original, finished, waiting)}
    assert [job["status"] for job in shown.values()] == ["completed", "completed", "canceled"]
    assert shown[waiting]["credits_returned"] == 1
    assert all(job["deleted_at"] and job["result"] is None and job["role_title"] is None for job in shown.values())
    async with services.database.transaction() as session:
        kept = await session.exec(select(JobCheckpoint).where(col(JobCheckpoint.job_id).in_(shown)))
        assert kept.all() == []


async def test_an_assessment_alone_can_be_deleted(
    client: httpx.AsyncClient, services: Services, judge: LocalPool, customer: Customer, original: str
) -> None:
    """The original and its other assessments stay."""
    one = (await assessed(client, services, judge, customer, original))["job_id"]
    await client.delete(f"/v1/jobs/{one}", headers=customer.headers)
    assert (await get(client, customer, one))["result"] is None
    assert (await get(client, customer, original))["result"] is not None
    assert (await ask(client, customer, original)).status_code == 202


async def test_a_worker_whose_assessment_was_erased_settles_nothing(
    client: httpx.AsyncClient, services: Services, customer: Customer, original: str
) -> None:
    """The claim is lost with the erasure."""
    job_id = (await ask(client, customer, original)).json()["job_id"]
    async with services.database.transaction() as session:
        claim = await lifecycle.claim(session, job_id, "worker", 60)
    assert claim
    await client.delete(f"/v1/jobs/{original}", headers=customer.headers)
    with pytest.raises(lifecycle.LeaseLost):
        async with services.database.transaction() as session:
            await lifecycle.transition(session, job_id, JobState.PROCESSING_INFERENCE, seen=claim.version)
