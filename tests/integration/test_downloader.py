"""Recordings by `source_url`: accepted at once, fetched beside the jobs, charged when they have arrived."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import func, update
from sqlmodel import col

from deployments.replica.local_pool import LocalPool
from serve_app.downloader import Downloader
from serve_app.errors import SourceRefused
from serve_app.executor import Executor
from serve_app.jobs import lifecycle
from serve_app.jobs.models import Job
from serve_app.services import Services
from serve_app.storage import download
from serve_app.storage.download import Limits, download_client, fetch
from serve_app.storage.outbound import GuardedTransport, OutboundPolicy, guarded_client
from tests.support.asgi import served
from tests.support.calls import JOBS, error, stream
from tests.support.sources import Sources
from tests.support.world import Customer, new_customer, tone


@pytest.fixture
def sources() -> Sources:
    """A server of recordings."""
    return Sources()


@pytest.fixture
async def origin(sources: Sources, services: Services) -> AsyncIterator[str]:
    """Its address on this machine, which the service may request for once."""
    services.settings.source_allow_loopback = True
    async with served(sources.app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def downloader(services: Services, pool: LocalPool) -> AsyncIterator[Downloader]:
    """A downloader as an executor has one; it leaves the jobs to the test."""

    async def nothing() -> bool:
        return await asyncio.sleep(0, result=False)

    async with download_client(allow_loopback=True) as client:
        yield Downloader(services, client, nothing)


async def submit_url(client: httpx.AsyncClient, customer: Customer, url: str, **more: Any) -> httpx.Response:
    headers = customer.headers | more.pop("headers", {})
    return await client.post(JOBS, data={"role_title": "Nurse", "source_url": url} | more, headers=headers)


async def submitted(client: httpx.AsyncClient, customer: Customer, url: str, **more: Any) -> str:
    answer = await submit_url(client, customer, url, **more)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


async def get(client: httpx.AsyncClient, customer: Customer, job_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json())


async def charges(client: httpx.AsyncClient, customer: Customer) -> list[int]:
    rows = (await client.get("/v1/credits/ledger", headers=customer.headers)).json()["data"]
    return [row["credits"] for row in rows if row["job_id"]]


async def make_due(services: Services, job_id: str) -> None:
    """Let the next attempt be due now."""
    async with services.database.transaction() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(available_at=func.now()))


async def test_a_recording_is_fetched_measured_charged_and_assessed(
    client: httpx.AsyncClient,
    services: Services,
    pool: LocalPool,
    downloader: Downloader,
    customer: Customer,
    origin: str,
) -> None:
    """The answer charges nothing; the arrival does, once; the events say so, and nothing shows the address."""
    answer = (await submit_url(client, customer, f"{origin}/call.wav?signature=secret")).json()
    job_id = answer["job_id"]
    assert (answer["status"], answer["credits_charged"], answer["credits_remaining"]) == ("queued", 0, 100)
    waiting = await get(client, customer, job_id)
    assert (waiting["duration_s"], waiting["credits_charged"], waiting["file_name"]) == (None, 0, None)
    assert waiting["cost"]["reason"] == "no recording has arrived, so nothing is charged"
    assert await Executor(services, pool).run_next() is False
    assert await downloader.download_next() is True
    arrived = await get(client, customer, job_id)
    assert (arrived["duration_s"], arrived["credits_charged"], arrived["file_name"]) == (61.0, 2, "call.wav")
    assert await Executor(services, pool).run_next() is True
    done = await get(client, customer, job_id)
    assert done["status"] == "completed"
    assert await charges(client, customer) == [-2]
    events = await stream(client, customer, job_id)
    assert [data["status"] for name, _, data in events if name == "status"] == [
        "queued", "queued", "loading_weights", "processing_inference", "completed",
    ]  # fmt: skip
    assert events[0][2]["stage"] == "download"
    assert [data["credits_charged"] for _, _, data in events if "credits_charged" in data] == [2]
    assert any(data.get("queue_position") == 1 for _, _, data in events)
    assert "secret" not in f"{waiting} {done} {events}"
    async with services.database.transaction() as session:
        assert (await session.get_one(Job, job_id)).source_url is None


FAILURES = [
    ("/missing.wav", "source_not_found"),
    ("/private.wav", "source_not_found"),
    ("/page", "source_wrong_type"),
    ("/compressed", "source_wrong_type"),
    ("/large", "file_too_large"),
    ("/endless", "file_too_large"),
    ("/noise", "media_unreadable"),
    ("/inside", "source_refused"),
]


@pytest.mark.parametrize(("path", "code"), FAILURES)
async def test_what_is_no_recording_fails_the_job_at_no_charge(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, customer: Customer, origin: str,
    path: str, code: str,
) -> None:  # fmt: skip
    """The job names the reason and what to do, is not tried again, and leaves neither a charge nor a file."""
    job_id = await submitted(client, customer, f"{origin}{path}")
    assert await downloader.download_next() is True
    job = await get(client, customer, job_id)
    assert (job["status"], job["detail"], job["error"]["code"]) == ("failed", code, code)
    assert "Nothing was charged." in job["error"]["message"] or code == "media_unreadable"
    assert "127.0.0.1" not in job["error"]["message"]
    assert (await charges(client, customer), job["cost"]["charged"]) == ([], 0)
    assert await services.blobs.older_than(-60) == []
    assert await downloader.download_next() is False
    assert (await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)).status_code == 409


@pytest.mark.parametrize("path", ["/broken", "/round"])
async def test_a_server_that_fails_is_asked_again_and_then_the_owner_may_retry(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, customer: Customer, origin: str, path: str
) -> None:
    """Three attempts with pauses; the failed job keeps its address for a retry, until it expires."""
    job_id = await submitted(client, customer, f"{origin}{path}")
    for _ in range(3):
        assert await downloader.download_next() is True
        await make_due(services, job_id)
    job = await get(client, customer, job_id)
    assert (job["status"], job["detail"]) == ("failed", "source_unavailable")
    assert (await client.post(f"/v1/jobs/{job_id}/retry", headers=customer.headers)).status_code == 202
    assert await downloader.download_next() is True
    assert await charges(client, customer) == []


async def test_a_short_outage_of_the_server_costs_nothing_but_time(
    client: httpx.AsyncClient,
    services: Services,
    downloader: Downloader,
    customer: Customer,
    origin: str,
    sources: Sources,
) -> None:
    """A 503 is followed by another attempt, and the job is charged once."""
    sources.failures = 1
    job_id = await submitted(client, customer, f"{origin}/flaky.wav")
    await downloader.download_next()
    assert (await get(client, customer, job_id))["status"] == "queued"
    await make_due(services, job_id)
    await downloader.download_next()
    assert await charges(client, customer) == [-2]


async def test_redirects_are_followed_and_names_are_kept(
    client: httpx.AsyncClient, downloader: Downloader, customer: Customer, origin: str, sources: Sources
) -> None:
    """A link of a file share leads to its file; the server's name for it is the job's file name."""
    moved, named = [await submitted(client, customer, f"{origin}{path}") for path in ("/moved", "/named")]
    while await downloader.download_next():
        pass
    assert (await get(client, customer, moved))["file_name"] == "call.wav"
    assert (await get(client, customer, named))["file_name"] == "Gespräch.wav"
    assert sources.asked == ["/moved", "/call.wav", "/named"]


async def test_a_slow_server_is_given_up(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, customer: Customer, origin: str,
    sources: Sources, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The whole download has a limit, also while bytes arrive. Meanwhile the events say how much has arrived."""
    monkeypatch.setattr(download, "REPORT_S", 0.0)
    services.settings.source_timeout_s, services.settings.max_attempts = 6.0, 1
    job_id = await submitted(client, customer, f"{origin}/trickle.wav")
    await downloader.download_next()
    job = await get(client, customer, job_id)
    assert (job["status"], job["detail"], job["error"]["message"][:24]) == (
        "failed", "source_too_slow", "The recording did not ar",
    )  # fmt: skip
    shown = [data for name, _, data in await stream(client, customer, job_id) if name == "progress"]
    assert [data["stage"] for data in shown] == ["download"] * len(shown)
    arrived = [data["download"]["bytes"] for data in shown]
    assert len(arrived) >= 2
    assert arrived == sorted(set(arrived))
    await asyncio.sleep(0.3)
    assert sources.open == 0


async def test_a_cancel_stops_the_download(
    client: httpx.AsyncClient,
    services: Services,
    downloader: Downloader,
    customer: Customer,
    origin: str,
    sources: Sources,
) -> None:
    """Within a second or two the connection is closed, and nothing is stored or charged."""
    job_id = await submitted(client, customer, f"{origin}/trickle.wav")
    downloading = asyncio.create_task(downloader.download_next())
    await sources.trickling.wait()
    await client.post(f"/v1/jobs/{job_id}/cancel", headers=customer.headers)
    await asyncio.wait_for(downloading, 10)
    assert (await get(client, customer, job_id))["status"] == "canceled"
    assert await services.blobs.older_than(-60) == []
    assert await charges(client, customer) == []


async def test_another_process_fetches_what_a_dead_one_had_claimed(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, customer: Customer, origin: str
) -> None:
    """The lease ends, the recording is fetched again, and it is charged once; a zombie's arrival is refused."""
    job_id = await submitted(client, customer, f"{origin}/call.wav")
    async with services.database.transaction() as session:
        assert await lifecycle.claim_download(session, "dead", 0.5, per_account=2)
    assert await downloader.download_next() is False
    await asyncio.sleep(0.6)
    assert await downloader.download_next() is True
    assert (await get(client, customer, job_id))["credits_charged"] == 2
    assert await charges(client, customer) == [-2]


async def test_a_job_whose_processes_all_died_fails(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, customer: Customer, origin: str
) -> None:
    """A recording that kills its downloader is not fetched for ever."""
    job_id = await submitted(client, customer, f"{origin}/call.wav")
    for _ in range(services.settings.max_attempts):
        async with services.database.transaction() as session:
            assert await lifecycle.claim_download(session, "dead", 0.0, per_account=2)
    assert await downloader.download_next() is True
    assert (await get(client, customer, job_id))["detail"] == "interrupted"


async def test_slow_addresses_hold_up_neither_others_nor_the_jobs(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, origin: str, sources: Sources
) -> None:
    """Two downloads of an account run at a time; another account's recording arrives and is assessed meanwhile."""
    other = await new_customer(services.database)
    slow = [await submitted(client, customer, f"{origin}/trickle.wav") for _ in range(3)]
    quick = await submitted(client, other, f"{origin}/call.wav")
    async with download_client(allow_loopback=True) as requests:
        running = asyncio.create_task(Downloader(services, requests, Executor(services, pool).run_next).run_forever())
        job = (await client.get(f"/v1/jobs/{quick}?wait=30", headers=other.headers, timeout=60)).json()
        assert job["status"] == "completed"
        assert sources.open == 2
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert {(await get(client, customer, job_id))["status"] for job_id in slow} == {"queued"}


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.mp3", "https://127.0.0.1/a.mp3", "https://[::1]/a", "https://user:pw@example.com/a",
     "file:///etc/passwd", "https://localhost/a", "https://0x7f000001/a", "nothing", "https://example.com/a#b"],
)  # fmt: skip
async def test_an_address_that_may_not_be_requested_is_refused_at_submit(
    client: httpx.AsyncClient, services: Services, customer: Customer, url: str
) -> None:
    """422 with a code of its own, before anything is stored."""
    answer = await submit_url(client, customer, url)
    assert (answer.status_code, error(answer)) == (422, "source_refused")
    assert answer.json()["detail"]["field"] == "source_url"
    assert (await client.get("/v1/jobs", headers=customer.headers)).json()["data"] == []


async def test_a_name_that_resolves_to_a_private_address_is_refused_when_it_is_fetched() -> None:
    """Whatever the name says at submit, the address of the request counts."""

    async def inside(_: str) -> list[str]:
        return ["10.0.0.1"]

    async def report(_: int, __: int | None) -> None: ...

    transport = GuardedTransport(OutboundPolicy(), resolver=inside)
    async with guarded_client(transport, redirects=5) as client:
        with pytest.raises(SourceRefused, match="not public"):
            await fetch(client, "https://rebinding.example/a", open("/dev/null", "wb"), Limits(10, 5.0), report)  # noqa: ASYNC230, PTH123, SIM115 - nothing is written


async def test_a_form_has_a_file_or_an_address(client: httpx.AsyncClient, customer: Customer) -> None:
    """Both or neither are refused with the field; a demo takes a file only."""
    data, files = {"role_title": "Nurse", "source_url": "https://example.com/a"}, {"file": ("a.wav", tone(2))}
    both = await client.post(JOBS, data=data, files=files, headers=customer.headers)
    neither = await client.post(JOBS, data={"role_title": "Nurse"}, headers=customer.headers)
    demo = await client.post("/v1/demo/recruitscreen/jobs", data=data)
    fields = [(answer.status_code, answer.json()["detail"].get("field")) for answer in (both, neither, demo)]
    assert fields == [(422, "source_url"), (422, "file"), (422, "source_url")]


async def test_a_balance_that_cannot_cover_it_is_refused_as_soon_as_it_is_known(
    client: httpx.AsyncClient, services: Services, downloader: Downloader, origin: str
) -> None:
    """402 at submit for an empty balance or by the caller's estimate; else the job fails when the length is known."""
    none, one = [await new_customer(services.database, credits_=credits_) for credits_ in (0, 1)]
    url = f"{origin}/call.wav"
    refused = [await submit_url(client, none, url), await submit_url(client, one, url, duration_s=61)]
    assert [(answer.status_code, answer.json()["detail"]["credits_needed"]) for answer in refused] == [
        (402, 1), (402, 2),
    ]  # fmt: skip
    job_id = await submitted(client, one, url)
    await downloader.download_next()
    job = await get(client, one, job_id)
    assert (job["status"], job["detail"]) == ("failed", "insufficient_credits")
    assert (await client.get("/v1/credits", headers=one.headers)).json()["balance"] == 1
    assert await services.blobs.older_than(-60) == []


async def test_an_idempotency_key_makes_a_repeat_the_same_job(
    client: httpx.AsyncClient, downloader: Downloader, customer: Customer, origin: str
) -> None:
    """The same address under the same key is one job and one charge; another address is a 422."""
    key = {"Idempotency-Key": "one"}
    first, again = [await submit_url(client, customer, f"{origin}/call.wav", headers=key) for _ in range(2)]
    assert first.json() == again.json()
    while await downloader.download_next():
        pass
    assert (await submit_url(client, customer, f"{origin}/call.wav", headers=key)).json() == first.json()
    assert await charges(client, customer) == [-2]
    assert (await submit_url(client, customer, f"{origin}/named", headers=key)).status_code == 422
