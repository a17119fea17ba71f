"""Watches the embedded servers: one that has died is started again, with back-off, and the console says so.

The launcher adopts orphans, so that a process whose parent was killed does not stay defunct where the first process of
the machine reaps nothing, as in a container.
"""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from scripts.launcher.embedded import Server

EVERY_S = 0.5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
CALM_S = 60.0
"""A server that has run for so long is started again at once when it dies."""
PR_SET_CHILD_SUBREAPER = 36


class Watch:
    """Context manager: a thread that watches `servers`."""

    def __init__(self, servers: Sequence[Server], say: Callable[[str], None]) -> None:
        self._watched = [_Watched(server, say) for server in servers]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            for watched in self._watched:
                watched.check()


class _Watched:
    """One server, and when it may be started again."""

    def __init__(self, server: Server, say: Callable[[str], None]) -> None:
        self._server = server
        self._say = say
        self._started_at = time.monotonic()
        self._due_at = 0.0
        self._pause_s = 0.0
        self._was_running = True

    def check(self) -> None:
        """Start the server again if it has died and its pause is over."""
        if self._server.is_running():
            return
        now = time.monotonic()
        if self._was_running:
            self._was_running = False
            self._pause_s = 0.0 if now - self._started_at > CALM_S else self._next_pause_s()
            self._due_at = now + self._pause_s
            self._say(f"{self._server.name} has ended; starting it again{self._when()}")
        if now >= self._due_at:
            self._start()

    def _start(self) -> None:
        try:
            self._server.start()
        except Exception as error:  # noqa: BLE001 - every server has its own; the next attempt follows
            self._pause_s = self._next_pause_s()
            self._due_at = time.monotonic() + self._pause_s
            reason = str(error).partition("\n")[0][:200] or type(error).__name__
            self._say(f"{self._server.name} did not start ({reason}); trying again{self._when()}")
        else:
            self._started_at, self._was_running = time.monotonic(), True
            self._say(f"{self._server.name} runs again")

    def _next_pause_s(self) -> float:
        return min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))

    def _when(self) -> str:
        return f" in {self._pause_s:.0f} s" if self._pause_s else ""


def adopt_orphans() -> None:
    """Become the parent of orphans below this process, and reap those that have ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    threading.Thread(target=_reap_forever, name="reap", daemon=True).start()


def _reap_forever() -> None:
    seen: set[int] = set()
    while True:
        time.sleep(EVERY_S)
        defunct = set(_defunct_children())
        for pid in defunct & seen:  # a parent that waits for its child reaps it at once
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        seen = defunct


def _defunct_children() -> Iterator[int]:
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_ZOMBIE:
                yield child.pid
