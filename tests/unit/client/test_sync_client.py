"""The synchronous client is the asynchronous one without its `await`s."""

import pytest

from scripts.checks.sync_client import PACKAGE, SOURCES, synchronous


@pytest.mark.parametrize("name", SOURCES)
def test_the_synchronous_client_is_current(name: str) -> None:
    """Run `python -m scripts.checks.sync_client` when this fails; edit the files in `aio` only."""
    assert (PACKAGE / name).read_text("utf-8") == synchronous((PACKAGE / "aio" / name).read_text("utf-8"), name)


def test_nothing_asynchronous_is_left() -> None:
    """No word of the asynchronous source survives in the synchronous files."""
    for name in SOURCES:
        text = (PACKAGE / name).read_text("utf-8")
        assert [word for word in ("async", "await", "Async", "aio.") if word in text.partition("\n")[2]] == []
