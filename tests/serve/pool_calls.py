"""Calls to a bare pool (`scripts.benchmarks.pool_driver`) and what they report; uploads that are sent by hand."""

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any, Self

import httpx
import psutil

from deployments.replica.prestart import TITLE

SLOW_S = 90
"""Generous, since Ray starts processes on a busy machine."""


class Pool:
    """One application of the driver."""

    def __init__(self, base_url: str, name: str) -> None:
        self.name = name
        self._url = f"{base_url}/{name}"
        self._threads = ThreadPoolExecutor(max_workers=16)
        wait_for(self._answers, f"{name} does not answer")

    def events(self, role: str, *, warm: bool = False, seconds: float = 1.0) -> Iterator[dict[str, Any]]:
        """One call's events as they come."""
        query = {"role": role, "warm": warm, "seconds": seconds}
        with httpx.stream("GET", f"{self._url}/calls", params=query, timeout=SLOW_S) as stream:
            yield from (json.loads(line) for line in stream.iter_lines())

    def call(self, role: str, *, warm: bool = False, seconds: float = 1.0) -> list[str]:
        """The events of a call, repetitions dropped; a failure by its code."""
        names: list[str] = []
        for event in self.events(role, warm=warm, seconds=seconds):
            name = event.get("code", event["event"])
            if names[-1:] != [name]:
                names.append(name)
        return names

    def start(self, role: str, *, seconds: float = 1.0) -> "Future[list[str]]":
        """A call beside others."""
        return self._threads.submit(self.call, role, seconds=seconds)

    def status(self) -> dict[str, Any]:
        """The pool's status page."""
        body: dict[str, Any] = httpx.get(f"{self._url}/status", timeout=10).raise_for_status().json()
        return body

    def model(self, role: str) -> dict[str, Any]:
        """One model on the status page."""
        return next(model for model in self.status()["models"] if model["role"] == role)

    def until(self, role: str, state: str, within_s: float = SLOW_S) -> None:
        """Return once the status page shows `state`."""
        wait_for(lambda: self.model(role)["state"] == state, f"{role} did not become {state}", within_s)

    def kill(self, deployment: str) -> None:
        """SIGKILL the processes of a deployment's replicas; there must be some."""
        found = processes(self.name, deployment)
        assert found
        for process in found:
            process.kill()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self._url}/status", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False


@dataclass
class Sender:
    """One connection that sends an upload by hand."""

    client: httpx.Client
    wire: socket.socket

    @classmethod
    @contextmanager
    def connected(cls, client: httpx.Client) -> Iterator[Self]:
        """Over a new connection to the API that `client` is a client of."""
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as wire:
            yield cls(client, wire)

    def begin(self, path: str, *headers: str, key: str = "") -> None:
        """Send the head of a request, with the client's key unless another is given."""
        key = key or self.client.headers["Authorization"]
        common = ("Host: test", f"Authorization: {key}", "Content-Type: multipart/form-data; boundary=b")
        self.wire.sendall("\r\n".join((f"POST {path} HTTP/1.1", *common, *headers, "", "")).encode())

    def chunk(self, data: bytes) -> None:
        """Send a piece of a chunked body."""
        self.wire.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def answered(self, within_s: float = 0) -> bool:
        """Whether something has come back."""
        return bool(select.select([self.wire], [], [], within_s)[0])

    def answer(self) -> tuple[int, str]:
        """Status and error code of what came back."""
        answer = HTTPResponse(self.wire)
        answer.begin()
        return answer.status, json.loads(answer.read())["detail"]["code"]

    def hung_up(self) -> bool:
        """Whether the server ends the connection after its answer."""
        with suppress(ConnectionResetError):  # bytes of ours that it never read
            return self.wire.recv(1) == b""
        return True


def processes(application: str, deployment: str) -> list[psutil.Process]:
    """The processes of a deployment's replicas."""
    name = f"ServeReplica:{application}:{deployment}"
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(name in part for part in process.info["cmdline"] or [])
    ]


def prestarted(database: str, backend: str) -> list[psutil.Process]:
    """The prestarted workers for a backend of the application with this database."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if " ".join(process.info["cmdline"] or []).startswith(f"{TITLE} {backend}")
        and f"/{database}" in (process.info["environ"] or {}).get("DATABASE_URL", "")
    ]


def wait_for(condition: Callable[[], bool], what: str, within_s: float = SLOW_S) -> None:
    """Return once `condition` holds; fails with `what` after `within_s`."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)
