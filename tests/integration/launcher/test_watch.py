"""The watch over real servers that are killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import psycopg
import pytest

from scripts.launcher import watch
from scripts.launcher.embedded import Postgres, Server, Valkey, running
from scripts.launcher.watch import Watch
from tests.support.world import ROOT

WITHIN_S = 20.0


@pytest.fixture
def lines() -> list[str]:
    """What the console shows."""
    return []


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> Iterator[Postgres]:
    with running(Postgres(tmp_path_factory.mktemp("watch") / "data")) as server, Watch([server], lines.append):
        assert isinstance(server, Postgres)
        yield server


@pytest.fixture
def redis(lines: list[str]) -> Iterator[Valkey]:
    with running(Valkey()) as server, Watch([server], lines.append):
        assert isinstance(server, Valkey)
        yield server


def until(true: Callable[[], bool], problem: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end, problem
        time.sleep(0.05)


def postmaster(server: Postgres) -> psutil.Process:
    return psutil.Process(int((server.folder / "postmaster.pid").read_text().splitlines()[0]))


def valkey_process(server: Valkey) -> psutil.Process:
    port = server.url.rpartition(":")[2].partition("/")[0]
    return next(child for child in psutil.Process().children() if _listens(child, int(port)))


def _listens(process: psutil.Process, port: int) -> bool:
    return any(socket.laddr.port == port for socket in process.net_connections() if socket.status == "LISTEN")


def test_a_killed_postgresql_is_started_again_with_its_data(database: Postgres, lines: list[str]) -> None:
    """Its URL stays, what was committed is there, the console says so, and nothing is left defunct."""
    url, first = database.url, postmaster(database)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    tree = [first, *first.children(recursive=True)]
    for process in tree:
        process.send_signal(signal.SIGKILL)
    until(lambda: "PostgreSQL runs again" in lines, "the server was not started again")
    assert lines[0] == "PostgreSQL has ended; starting it again in 1 s"
    assert database.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
    assert postmaster(database).pid != first.pid
    until(lambda: not any(process.is_running() for process in tree), "a process is left defunct")


def test_a_killed_valkey_is_started_again_at_its_port(redis: Valkey, lines: list[str]) -> None:
    """Clients find it under the same URL, and no child is left defunct."""
    url, first = redis.url, valkey_process(redis)
    first.kill()
    until(lambda: "Valkey runs again" in lines, "the server was not started again")
    assert redis.url == url
    assert valkey_process(redis).pid != first.pid
    assert not first.is_running()


def test_a_server_that_dies_again_and_again_is_started_with_growing_pauses(
    redis: Valkey, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pauses are 1, 2 and 4 seconds long, and each line names its pause."""
    monkeypatch.setattr(watch, "CALM_S", 60.0)
    for count, pause in enumerate((1, 2, 4), start=1):
        until(redis.is_running, "the server was not started again")
        valkey_process(redis).kill()
        until(lambda count=count: len(lines) == 2 * count - 1, "the console is silent")  # type: ignore[misc]
        assert lines[-1] == f"Valkey has ended; starting it again in {pause} s"
        until(lambda count=count: len(lines) == 2 * count, "the server was not started again")  # type: ignore[misc]


class Unstartable:
    """A server whose program is broken."""

    name, url = "Broken", ""

    def start(self) -> None:
        raise OSError("no such program")

    def is_running(self) -> bool:
        return False

    def stop(self) -> None: ...


def test_a_server_that_does_not_start_is_tried_again_and_named(lines: list[str]) -> None:
    """Another server is watched meanwhile."""
    broken: Server = Unstartable()
    with running(Valkey()) as server, Watch([broken, server], lines.append):
        assert isinstance(server, Valkey)
        until(lambda: sum("did not start (no such program)" in line for line in lines) == 2, "it is not tried again")
        valkey_process(server).kill()
        until(lambda: "Valkey runs again" in lines, "the other server was not started again")


ORPHANS = """
import subprocess, sys, time, psutil
from scripts.launcher.watch import adopt_orphans
adopt_orphans()
subprocess.run(["sh", "-c", "sleep 0.3 & sleep 0.4 & exit"])
time.sleep(2.5)
sys.exit(len(psutil.Process().children()))
"""


def test_the_launcher_reaps_orphans() -> None:
    """Children of a process that has ended are adopted, and none of them stays defunct."""
    done = subprocess.run([sys.executable, "-c", ORPHANS], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0
