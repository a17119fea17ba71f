"""Processes that are killed and connections that are cut while jobs run: how soon the API and the last job are back.

`pytest -s` prints the seconds of each round.
"""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import psutil
import psycopg
import pytest

from scripts.launcher.stack import Stack
from tests.support.calls import JOBS
from tests.support.sse import events
from tests.support.world import tone

API_S = 20.0
"""Longest time without an API. Half of it is what a busy machine of two cores takes to start a process."""
LAST_JOB_S = 60.0
LEASE_S = 30.0
SLOW_S = 2.0
"""A request that takes longer has waited for a process."""
SECONDS = 20
BEFORE, AFTER = 3, 2
"""Jobs submitted before and after the fault."""


@dataclass
class Round:
    """What one fault cost."""

    api_s: float = 0.0
    """From the fault to the end of the last request that failed or was slow."""
    states: dict[str, str] = field(default_factory=dict)
    last_job_s: float = 0.0


@dataclass(frozen=True)
class Api:
    """The API as a customer sees it who tries again until it answers."""

    client: httpx.Client

    def submit(self, name: str) -> str:
        """Submit a recording, again and again under one idempotency key. Returns the job's id."""
        while True:
            files = {"file": ("call.wav", tone(SECONDS), "audio/wav")}
            headers = {"Idempotency-Key": name}
            answer = self.try_to("POST", JOBS, data={"role_title": "Engineer"}, files=files, headers=headers)
            if answer is not None:
                return str(answer.json()["job_id"])
            time.sleep(0.2)

    def wait_until_over(self, job_id: str) -> str:
        """The final state of a job."""
        while True:
            answer = self.try_to("GET", f"/v1/jobs/{job_id}?wait=10")
            if answer is not None and answer.json()["status"] in {"completed", "failed", "canceled"}:
                return str(answer.json()["status"])
            time.sleep(0.2)

    def try_to(self, method: str, path: str, **more: object) -> httpx.Response | None:
        """A response of 2xx; None for an outage. Fails on any refusal that is not one."""
        try:
            answer = self.client.request(method, path, **more)  # type: ignore[arg-type] # what httpx takes
        except httpx.TransportError:
            return None
        if answer.status_code in {500, 502, 503, 504, 507}:
            return None
        answer.raise_for_status()
        return answer


def processes(stack: Stack, title: str) -> list[psutil.Process]:
    """The stack's processes whose title contains `title`."""
    database = stack.environment["DATABASE_URL"]
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if any(title in part for part in process.info["cmdline"] or [])
        and (process.info["environ"] or {}).get("DATABASE_URL") == database
    ]


def kill(title: str) -> Callable[[Stack], None]:
    """Kill a process of the stack."""

    def fault(stack: Stack) -> None:
        found = processes(stack, title)
        assert found, f"no process is called {title}"
        for process in found:
            process.kill()

    return fault


def cut_connections(stack: Stack) -> None:
    """End every connection to the database, those in the middle of a transaction included."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def kill_postgresql(stack: Stack) -> None:
    """Kill the embedded PostgreSQL; its other processes end by themselves."""
    psutil.Process(int((stack.options.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])).kill()


def kill_valkey(stack: Stack) -> None:
    """Kill the embedded Valkey."""
    port = int(stack.environment["REDIS_URL"].rpartition(":")[2].partition("/")[0])
    for child in psutil.Process().children():
        if any(each.status == "LISTEN" and each.laddr.port == port for each in child.net_connections()):
            child.kill()
            return
    raise AssertionError("no Valkey listens")


FAULTS = {
    "nothing": lambda _: None,
    "ingress": kill("ServeReplica:recruitscreen:Ingress"),
    "proxy": kill("ProxyActor"),
    "executor": kill("ServeReplica:recruitscreen:Executor"),
    "asr": kill("ServeReplica:recruitscreen:ASR"),
    "controller": kill("ServeController"),
    "database connections": cut_connections,
    "PostgreSQL": kill_postgresql,
    "Valkey": kill_valkey,
}


@pytest.fixture
def api(client: httpx.Client) -> Api:
    return Api(client)


@pytest.mark.parametrize("name", FAULTS)
def test_everything_is_back_within_a_minute(stack: Stack, api: Api, name: str) -> None:
    """No job is lost, the API answers again soon, and the last job is done within a minute."""
    warm = api.submit(f"{name} {time.time()} warm")
    assert api.wait_until_over(warm) == "completed"
    result = Round()
    with ThreadPoolExecutor(BEFORE + AFTER + 1) as pool:
        jobs = [api.submit(f"{name} {time.time()} {number}") for number in range(BEFORE)]
        wait_until_working(api, jobs[0])
        FAULTS[name](stack)
        began, done = time.monotonic(), threading.Event()
        outage = pool.submit(last_failure, api, began, done)
        late = [pool.submit(api.submit, f"{name} {began} {number} late") for number in range(AFTER)]
        jobs += [each.result() for each in late]
        result.states = dict(zip(jobs, pool.map(api.wait_until_over, jobs), strict=True))
        result.last_job_s = time.monotonic() - began
        done.set()
        result.api_s = outage.result()
    sys.stdout.write(f"\n{name}: API back after {result.api_s:.1f} s, last job after {result.last_job_s:.1f} s\n")
    assert set(result.states.values()) == {"completed"}
    assert result.api_s < API_S
    assert result.last_job_s < LAST_JOB_S


def test_the_jobs_of_a_dead_executor_do_not_wait_for_their_lease(stack: Stack, api: Api) -> None:
    """Ray knows that it is dead; the lease of 30 s would have ended later."""
    job_id = api.submit(f"lease {time.time()}")
    wait_until_working(api, job_id)
    FAULTS["executor"](stack)
    killed = datetime.now(UTC)
    assert api.wait_until_over(job_id) == "completed"
    history = [data for _, data in events(api.client, f"/v1/jobs/{job_id}/events")]
    requeued = next(data["at"] for data in history if (data["detail"] or "").startswith("interrupted"))
    assert (datetime.fromisoformat(requeued) - killed).total_seconds() < LEASE_S - 3


def wait_until_working(api: Api, job_id: str) -> None:
    """Return once a model works on the job."""
    while api.client.get(f"/v1/jobs/{job_id}").json()["status"] == "queued":
        time.sleep(0.05)


def last_failure(api: Api, began: float, done: threading.Event) -> float:
    """Seconds from `began` to the end of the last request for a list of jobs that failed or was slow."""
    failed_s = 0.0
    while not done.wait(0.2):
        asked = time.monotonic()
        if api.try_to("GET", "/v1/jobs") is None or time.monotonic() - asked > SLOW_S:
            failed_s = time.monotonic() - began
    return failed_s
