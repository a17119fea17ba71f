"""The production profile: HAProxy in front, throughput mode, several replicas of ingress and executor."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.launcher.embedded import free_port
from scripts.launcher.first_account import first_key
from scripts.launcher.stack import PRODUCTION, Options, Stack, production_environment
from tests.serve.conftest import database_for, fakes
from tests.serve.pool_calls import Sender, prestarted, processes, wait_for
from tests.support.calls import UPGRADE_OFFER
from tests.support.sse import events
from tests.support.world import tone

PRODUCT = "recruitscreen"
FEW_CONNECTIONS = {"RAY_SERVE_HAPROXY_MAXCONN": "400"}
"""HAProxy does not start where `ulimit -n` is below twice this and 4,132."""
STREAMS = 150


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str) -> Iterator[Stack]:
    """The stack of `serve_config.production.yaml` over fake models."""
    folder = tmp_path_factory.mktemp("production")
    environment = production_environment() | FEW_CONNECTIONS | {"RATE_LIMIT": "100000/minute"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", database_for("production", postgres_url))
        patched.setenv("REDIS_URL", redis_url)
        timings = {"load_s": 0.5, "work_s": 0.2}
        profile = fakes(folder / "production.yaml", 0.25, asr=timings, diarizer=timings, assessor=timings)
        options = Options(folder, free_port(), free_port(), PRODUCTION, str(profile), environment)
        with Stack(options, say=lambda _: None) as stack:
            yield stack


@pytest.fixture
def client(production: Stack) -> Iterator[httpx.Client]:
    """A customer's client, through HAProxy."""
    key = first_key(production.environment["DATABASE_URL"], Path("/nonexistent"))
    with httpx.Client(base_url=production.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def test_the_first_replicas_are_placed_in_prestarted_workers(client: httpx.Client) -> None:
    """Two executors prestart one worker per model, not two, and the first job's replicas use them."""
    kinds = ("fake_transcriber", "fake_diarizer", "fake_assessor")
    wait_for(lambda: all(prestarted("production", kind) for kind in kinds), "no workers were prestarted")
    workers = [process for kind in kinds for process in prestarted("production", kind)]
    assert len(workers) == len(kinds)
    form = {"data": {"role_title": "Engineer"}, "files": {"file": ("call.wav", tone(5), "audio/wav")}}
    client.get(client.post(f"/v1/{PRODUCT}/jobs", **form).raise_for_status().json()["events_url"])
    replicas = [process for name in ("ASR", "Diarizer", "Assessor") for process in processes(PRODUCT, name)]
    assert {process.pid for process in replicas} >= {process.pid for process in workers}


def test_a_recording_beyond_the_size_of_a_message_is_done(client: httpx.Client) -> None:
    """Throughput mode sends what deployments tell each other over gRPC, and 100 s of sound are more than it takes."""
    form = {"data": {"role_title": "Engineer"}, "files": {"file": ("call.wav", tone(100), "audio/wav")}}
    job = client.post(f"/v1/{PRODUCT}/jobs", **form).raise_for_status().json()
    *_, (_, last) = events(client, job["events_url"])
    assert last["status"] == "completed", last
    assert client.get(job["status_url"]).json()["result"]["duration_s"] == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("key", "refusal"), [("", (413, "file_too_large")), ("Bearer nonsense", (401, "invalid_api_key"))]
)
def test_an_upload_that_is_not_wanted_is_refused_at_once(
    client: httpx.Client, key: str, refusal: tuple[int, str]
) -> None:
    """HAProxy passes the refusal on while it is sent a few kilobytes of 500 MB."""
    with Sender.connected(client) as sender:
        sender.begin(f"/v1/{PRODUCT}/jobs", "Content-Length: 500000000", key=key)
        sender.wire.sendall(b"--b\r\n" + b"\0" * 4096)
        assert sender.answered(within_s=2)
        assert sender.answer() == refusal


def test_an_offered_upgrade_is_ignored_and_the_body_is_read(client: httpx.Client) -> None:
    """The upload of a client that offers h2c with every request arrives behind HAProxy."""
    form = {"data": {"role_title": "Engineer"}, "files": {"file": ("call.wav", tone(5), "audio/wav")}}
    answer = client.post(f"/v1/{PRODUCT}/jobs", headers=UPGRADE_OFFER, **form)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


async def test_many_streams_of_one_job_leave_the_api_quick(production: Stack, client: httpx.Client) -> None:
    """All of them open, tell the same to the end, and a request beside them is answered."""
    form = {"data": {"role_title": "Engineer"}, "files": {"file": ("call.wav", tone(5), "audio/wav")}}
    async with httpx.AsyncClient(
        base_url=production.base_url, headers=client.headers, timeout=60, limits=httpx.Limits(max_connections=400)
    ) as many:
        job = (await many.post(f"/v1/{PRODUCT}/jobs", **form)).raise_for_status().json()
        readers = [asyncio.create_task(many.get(job["events_url"])) for _ in range(STREAMS)]
        assert (await many.get("/v1/credits", timeout=20)).status_code == 200
        texts = {(await reader).text.replace(": ping\n\n", "") for reader in readers}
    assert len(texts) == 1, sorted(texts)
    assert '"terminal": true' in texts.pop()
