"""The stack of `make run`: default profile, real weights, its own PostgreSQL, Valkey and Ray."""

from collections.abc import Iterator

import httpx
import pytest

from scripts.launcher.embedded import free_port
from scripts.launcher.first_account import first_key
from scripts.launcher.stack import Options, Stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The committed serve_config.yaml, on free ports."""
    options = Options(tmp_path_factory.mktemp("e2e"), free_port(), free_port())
    with Stack(options, say=lambda _: None) as stack:
        yield stack


@pytest.fixture(scope="package")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the running API with the key of the first account."""
    key = first_key(stack.environment["DATABASE_URL"], stack.options.folder / "quickstart.json")
    with httpx.Client(base_url=stack.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client
