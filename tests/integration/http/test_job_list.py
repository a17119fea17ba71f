"""What a job shows in a list, and how the list is searched and filtered."""

from typing import Any

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.lifecycle import Note
from serve_app.services import Services
from tests.support.calls import JOBS, error, submit
from tests.support.world import Customer, new_customer, tone

ABOUT = ("role_title", "label", "file_name", "language", "percent", "stage", "expected_s")


async def listed(client: httpx.AsyncClient, customer: Customer, **params: Any) -> list[dict[str, Any]]:
    """The jobs of the first page."""
    response = await client.get("/v1/jobs", params=params, headers=customer.headers)
    assert response.status_code == 200, response.text
    return list(response.json()["data"])


async def ids(client: httpx.AsyncClient, customer: Customer, **params: Any) -> list[str]:
    return [job["job_id"] for job in await listed(client, customer, **params)]


async def test_a_job_says_what_it_is_about(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Role, label, file name and language are in the list and in the job; `percent` is 100 in the end."""
    job_id = (await submit(client, customer, label="Candidate 17")).json()["job_id"]
    waiting = (await listed(client, customer))[0]
    assert [waiting[name] for name in ABOUT[:-1]] == ["Backend Engineer", "Candidate 17", "call.wav", None, None, None]
    assert 0 <= waiting["expected_s"] <= 1
    await Executor(services, pool).run_next()
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    finished = (await listed(client, customer))[0]
    assert finished == {name: job[name] for name in finished}
    assert [job[name] for name in ABOUT] == ["Backend Engineer", "Candidate 17", "call.wav", "en", 100, None, None]


async def test_a_running_job_shows_its_newest_progress(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """`stage`, `percent` and `expected_s` are those of the newest progress event; a job that waits again has none."""
    job_id = (await submit(client, customer)).json()["job_id"]
    async with services.database.transaction() as session:
        claim = await lifecycle.claim(session, job_id, "worker", 60)
        assert claim
        progress = {"stage": "transcription", "percent": 40, "expected_s": 30.0}
        await lifecycle.report(session, job_id, claim.version, Note("transcription", progress))
    shown = (await listed(client, customer, stage="transcription"))[0]
    assert (shown["stage"], shown["percent"]) == ("transcription", 40)
    assert 20 < shown["expected_s"] <= 30
    async with services.database.transaction() as session:
        await lifecycle.requeue(session, job_id, seen=claim.version, after_s=0, note=Note("again"))
    again = (await listed(client, customer))[0]
    assert (again["stage"], again["percent"], again["expected_s"]) == (None, None, None)


async def test_a_search_finds_parts_of_role_label_file_name_and_id(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """Each word must be found, in any of them, in any case; `%` and `_` are ordinary characters."""
    one = (await submit(client, customer, role_title="Data Engineer", label="100% remote_only")).json()["job_id"]
    other = (await submit(client, customer, role_title="Nurse")).json()["job_id"]
    for found in ("engineer", "DATA remote", "0% r", "e_o", "call.wav engin", one[4:12]):
        assert await ids(client, customer, q=found) == [one], found
    assert await ids(client, customer, q="call") == [other, one]
    assert await ids(client, customer, q="  ") == [other, one]
    for missing in ("nurse remote", "1_0%", "e%o", "\\"):
        assert await ids(client, customer, q=missing) == [], missing


async def test_a_list_is_filtered_by_what_a_job_is_about(client: httpx.AsyncClient, customer: Customer) -> None:
    """Role, label, file name and language match exactly, and all of them must."""
    one = (await submit(client, customer, label="a", language="en")).json()["job_id"]
    other = (await submit(client, customer, label="A", language="de")).json()["job_id"]
    assert await ids(client, customer, label="a") == [one]
    assert await ids(client, customer, language="de") == [other]
    assert await ids(client, customer, role_title="Backend Engineer", file_name="call.wav") == [other, one]
    assert await ids(client, customer, role_title="Backend Engineer", label="b") == []


async def test_a_list_is_filtered_by_metadata(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """`metadata[name]=value` matches text, numbers and booleans; several must all match; no other account's jobs."""
    metadata = ('{"team": "x", "round": 2, "remote": true}', '{"team": "y", "round": 2}', "{}")
    one, other, _ = [(await submit(client, customer, metadata=each)).json()["job_id"] for each in metadata]
    assert await ids(client, customer, **{"metadata[team]": "x"}) == [one]
    assert await ids(client, customer, **{"metadata[round]": "2"}) == [other, one]
    assert await ids(client, customer, **{"metadata[round]": "2", "metadata[remote]": "true"}) == [one]
    assert await ids(client, customer, **{"metadata[absent]": "x"}) == []
    assert await ids(client, await new_customer(services.database), **{"metadata[team]": "x"}) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("metadata=x", "metadata"),
        ("metadata%5Bteam=x", "metadata[team"),
        ("metadata%5Ba%00%5D=x", "metadata"),
        ("metadata%5Ba%5D=%00", "metadata"),
        ("&".join("metadata%5Ba%5D=x" for _ in range(21)), "metadata"),
        ("q=%00", "q"),
        ("labels=x", "labels"),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(
    client: httpx.AsyncClient, customer: Customer, query: str, field: str
) -> None:
    """The error names the parameter."""
    response = await client.get(f"/v1/jobs?{query}", headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == field


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('filename="Gespräch „1“.wav"', "Gespräch „1“.wav"),
        ("filename*=UTF-8''%221%22%20%C3%A4.wav", '"1" ä.wav'),
        ("filename*=UTF-8''a%5Cb%0D%0A%22c.wav", 'b__"c.wav'),
        (r'filename="C:\\calls\\one.wav"', "one.wav"),
        ('filename="../../etc/one.wav"', "one.wav"),
        (f'filename="{"x" * 300}.wav"', "x" * 251 + ".wav"),
        ('filename="a\0b\x1b\u202e.wav"', "ab.wav"),
        ('filename="/"', None),
    ],
)
async def test_a_file_name_is_kept_without_folders_and_unprintable_characters(
    client: httpx.AsyncClient, customer: Customer, sent: str, kept: str | None
) -> None:
    """The name reads back, with at most its last 255 characters; a name of nothing else is null."""
    head = '--b\r\nContent-Disposition: form-data; name="role_title"\r\n\r\nEngineer\r\n'
    head += f'--b\r\nContent-Disposition: form-data; name="file"; {sent}\r\n\r\n'
    headers = customer.headers | {"Content-Type": "multipart/form-data; boundary=b"}
    body = head.encode() + tone(0.5) + b"\r\n--b--\r\n"
    response = await client.post(JOBS, content=body, headers=headers)
    assert response.status_code == 202, response.text
    assert (await listed(client, customer))[0]["file_name"] == kept


async def test_a_deleted_job_keeps_nothing_of_what_it_was_about(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """Role, label, file name, language and metadata are erased with the content, and searches no longer find it."""
    job_id = (await submit(client, customer, label="Jane", metadata='{"team": "x"}')).json()["job_id"]
    await Executor(services, pool).run_next()
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    receipt = (await listed(client, customer))[0]
    assert [receipt[name] for name in ABOUT[:4]] == [None] * 4
    assert receipt["metadata"] == {}
    assert await ids(client, customer, q="jane") == []


async def test_another_label_is_another_request(client: httpx.AsyncClient, customer: Customer) -> None:
    """The same idempotency key with another label is refused, and with the same label answered again."""
    headers = {"Idempotency-Key": "one"}
    first, same, other = [await submit(client, customer, label=label, headers=headers) for label in ("a", "a", "b")]
    assert first.json() == same.json()
    assert other.status_code == 422
    assert "different request" in other.json()["detail"]["message"]
