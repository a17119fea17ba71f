"""The contract over real HTTP: through Serve's proxy, on the running stack, with fake models."""

import asyncio
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scripts.launcher.stack import Stack
from serve_app.storage.database import Database
from tests.support.calls import JOBS, UPGRADE_OFFER
from tests.support.sse import events
from tests.support.world import Customer, new_customer, tone

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def upload(seconds: float = 1.0) -> dict[str, Any]:
    return {"data": {"role_title": "Engineer"}, "files": {"file": ("call.wav", tone(seconds), "audio/wav")}}


def open_customer(stack: Stack, credits_: int) -> Customer:
    """A customer of the running stack."""

    async def work() -> Customer:
        database = Database(stack.environment["DATABASE_URL"], pool_size=1)
        try:
            return await new_customer(database, credits_)
        finally:
            await database.close()

    return asyncio.run(work())


@pytest.fixture(scope="module")
def rich(stack: Stack) -> Customer:
    """Somebody with credits for everything here."""
    return open_customer(stack, 1000)


@pytest.fixture(scope="module")
def finished(stack: Stack, rich: Customer) -> str:
    """A job that is over."""
    with httpx.Client(base_url=stack.base_url, headers=rich.headers, timeout=60) as client:
        job_id = str(client.post(JOBS, **upload()).raise_for_status().json()["job_id"])
        assert client.get(f"/v1/jobs/{job_id}?wait=60", timeout=90).json()["status"] == "completed"
    return job_id


def test_whatever_fits_the_document_gets_a_documented_answer(stack: Stack, rich: Customer, finished: str) -> None:
    """Schemathesis on every operation: no 5xx, no undocumented status, content type or form."""
    document = schemathesis.openapi.from_url(f"{stack.base_url}/openapi.json")
    with httpx.Client(base_url=stack.base_url, headers=rich.headers, timeout=60) as client:
        webhook = client.post("/v1/webhooks", json={"url": "https://example.invalid/hook"}).raise_for_status().json()
    known = {"vertical": "recruitscreen", "job_id": finished, "webhook_id": webhook["webhook_id"]}
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 30
    for operation in operations:
        if operation.definition.raw["operationId"] == "stream_events":
            continue  # it has no end

        @BOUNDED
        @given(case=operation.as_strategy(), real=st.booleans())
        def ask(case: schemathesis.Case, real: bool) -> None:  # noqa: FBT001 - Hypothesis fills it in
            if real:  # about something that exists, since no random id ever does
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            case.call_and_validate(checks=CHECKS, headers=rich.headers, timeout=30)

        ask()


def test_a_client_generated_from_the_document_runs_a_job(
    stack: Stack, rich: Customer, tmp_path: Path, generated: Callable[[str], Any]
) -> None:
    """It compiles, uploads a recording, waits, and reads a typed result; a refusal is a typed error."""
    client = generated("client").AuthenticatedClient(stack.base_url, token=rich.secret, timeout=httpx.Timeout(90))
    recording = generated("types").File(payload=tone(2), file_name="call.wav", mime_type="audio/wav")
    body = generated("models").SubmitJobBody(file=recording, role_title="Engineer")
    accepted = generated("api.jobs.submit_job").sync(vertical="recruitscreen", client=client, body=body)
    job = generated("api.jobs.get_job").sync(job_id=accepted.job_id, client=client, wait=60)
    assert job.status == "completed"
    assert job.result.assessment.model == "fake-assessor"
    assert job.result.transcript[0].speaker == "SPEAKER_00"
    refused = generated("api.jobs.get_job").sync(job_id="job_unknown", client=client)
    assert refused.detail.code == "job_not_found"


@pytest.fixture
def generated(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Modules of a client that openapi-python-client makes from the running document."""
    document, config = tmp_path / "openapi.json", tmp_path / "config.yaml"
    document.write_text(httpx.get(f"{stack.base_url}/openapi.json").text)
    config.write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta=none", "--fail-on-warning",
               f"--path={document}", f"--config={config}", f"--output-path={tmp_path / 'made_client'}"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", tmp_path / "made_client"], check=True)
    sys.path.insert(0, str(tmp_path))
    yield lambda name: importlib.import_module(f"made_client.{name}")
    sys.path.remove(str(tmp_path))


def test_of_fifty_submits_at_once_a_balance_for_seven_accepts_seven(stack: Stack) -> None:
    """Seven 202, forty-three 402, nothing left and nothing overdrawn."""
    poor = open_customer(stack, 7)
    with httpx.Client(base_url=stack.base_url, headers=poor.headers, timeout=90) as client:
        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(lambda _: client.post(JOBS, **upload()), range(50)))
        assert sorted(answer.status_code for answer in answers) == [202] * 7 + [402] * 43
        assert client.get("/v1/credits").json()["balance"] == 0
        charged = client.get("/v1/credits/ledger?limit=100").json()["data"]
        assert sorted(row["credits"] for row in charged) == [-1] * 7 + [7]


def test_duplicates_in_flight_become_one_job(stack: Stack, rich: Customer) -> None:
    """Twelve identical submits under one Idempotency-Key: one charge, one answer."""
    headers = rich.headers | {"Idempotency-Key": "twelve at once"}
    with httpx.Client(base_url=stack.base_url, headers=headers, timeout=90) as client:
        before = client.get("/v1/credits").json()["balance"]
        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(lambda _: client.post(JOBS, **upload()), range(12)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.text for answer in answers}) == 1
        assert before - client.get("/v1/credits").json()["balance"] == 1


def test_early_and_late_subscribers_read_the_same_history(client: httpx.Client) -> None:
    """Eight that follow from the start and one that comes after the end."""
    url = client.post(JOBS, **upload()).json()["events_url"]
    with ThreadPoolExecutor(8) as threads:
        early = list(threads.map(lambda _: list(events(client, url)), range(8)))
    late = list(events(client, url))
    *before, last = late
    assert all(history == late for history in early)
    assert last[1]["terminal"] is True
    assert not any(data["terminal"] for _, data in before)
    assert before[0][1]["queue_position"] >= 1
    assert before[0][1]["expected_s"] > 0


def test_a_stream_passes_proxies(client: httpx.Client) -> None:
    """Not cached, not buffered; and a token in the query opens it without a header."""
    job_id = client.post(JOBS, **upload()).json()["job_id"]
    given = client.post(f"/v1/jobs/{job_id}/stream-token").json()
    stranger = httpx.get(f"{client.base_url}{given['events_url']}".replace("//v1", "/v1"), timeout=60)
    assert stranger.status_code == 200
    assert stranger.headers["cache-control"].startswith("no-cache")
    assert stranger.headers["x-accel-buffering"] == "no"
    assert '"terminal": true' in stranger.text or '"terminal":true' in stranger.text


def test_every_error_over_the_wire_is_one_of_ours(client: httpx.Client) -> None:
    """Code, message, whether to retry, the request's id, and a docs_url whose anchor is there."""
    page = client.get("/docs/errors").text
    answers = [
        client.get("/v1/jobs/job_unknown"),
        client.get("/nothing"),
        client.delete("/v1/models/status"),
        client.post("/v1/nothing/jobs"),
        client.post(JOBS, data={}),
        client.get("/v1/credits", headers={"Authorization": "Bearer x"}),
        client.post(JOBS, data={"role_title": "x"}, files={"file": ("a.mp3", b"not audio")}),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 405, 404, 422, 401, 422]
    for answer in answers:
        detail = answer.json()["detail"]
        assert {"error", "code", "message", "retryable", "request_id", "docs_url"} <= detail.keys()
        assert detail["request_id"] == answer.headers["x-request-id"]
        address, anchor = detail["docs_url"].split("#")
        assert address == f"{str(client.base_url).rstrip('/')}/docs/errors"
        assert f'id="{anchor}"' in page


def test_what_serve_says_for_itself_is_in_our_form_too(client: httpx.Client, finished: str) -> None:
    """A request that Serve's proxy gives up gets its plain text elsewhere, here a 503 that says when to come back."""
    url, impatient = f"/v1/jobs/{finished}", {"X-Request-Timeout-Seconds": "0.0001"}
    answer = client.get(url, headers=impatient)
    assert answer.status_code == 503
    detail = answer.json()["detail"]
    assert (detail["code"], detail["retryable"]) == ("unavailable", True)
    assert detail["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["retry-after"] == "1"


def test_a_page_for_browsers_passes_the_proxy(client: httpx.Client) -> None:
    """The sign-in page's own error stays a page, with its status."""
    answer = client.post("/sign-in", data={"api_key": "lv_sk_all_wrong"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")


def test_an_offered_upgrade_is_ignored_and_the_body_is_read(client: httpx.Client) -> None:
    """Serve's proxy reads the upload of a client that offers h2c with every request."""
    answer = client.post(JOBS, headers=UPGRADE_OFFER, **upload())
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


def test_a_402_leads_to_a_page_that_exists(stack: Stack) -> None:
    """`upgrade_url` opens and says what a job costs."""
    poor = open_customer(stack, 0)
    answer = httpx.post(f"{stack.base_url}{JOBS}", headers=poor.headers, timeout=60, **upload())
    assert answer.status_code == 402
    page = httpx.get(answer.json()["detail"]["upgrade_url"])
    assert page.status_code == 200
    assert "credits" in page.text


def test_an_unknown_and_a_foreign_job_take_the_same_time(client: httpx.Client, finished: str) -> None:
    """Same body, and medians of the answer times within a factor of two."""
    took: dict[str, list[float]] = {finished: [], "job_00000000000000000000": []}
    bodies = set()
    for _ in range(30):
        for job_id, times in took.items():
            began = time.perf_counter()
            answer = client.get(f"/v1/jobs/{job_id}", headers={"X-Request-Id": "same"})
            times.append(time.perf_counter() - began)
            bodies.add((answer.status_code, json.dumps(answer.json(), sort_keys=True)))
    assert len(bodies) == 1
    foreign, unknown = (sorted(times)[15] for times in took.values())
    assert 0.5 < foreign / unknown < 2
