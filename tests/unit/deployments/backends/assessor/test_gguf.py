"""GGUF files are unpacked once, whole, and anew for other contents."""

from pathlib import Path
from typing import Any

import pytest

from deployments.backends.assessor import gguf as gguf_module


class Part:
    """Stands in for a tokenizer or a model."""

    def save_pretrained(self, folder: Path) -> None:
        (folder / "part").write_text("unpacked")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read out slowly."""
    found: list[Path] = []

    def read(gguf: Path, device: str) -> tuple[Any, Any]:
        found.append(gguf)
        return Part(), Part()

    monkeypatch.setattr(gguf_module, "load_gguf", read)
    return found


def test_a_file_is_unpacked_once(tmp_path: Path, reads: list[Path]) -> None:
    """The second load finds the folder of the first."""
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    folder = gguf_module.unpacked_folder(gguf, tmp_path / "cache")
    assert folder
    assert (folder / "part").read_text() == "unpacked"
    assert gguf_module.unpacked_folder(gguf, tmp_path / "cache") == folder
    assert reads == [gguf]
    assert list((tmp_path / "cache").iterdir()) == [folder]


def test_other_contents_are_unpacked_anew(tmp_path: Path, reads: list[Path]) -> None:
    """The folder's name holds the digest of the file."""
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    before = gguf_module.unpacked_folder(gguf, tmp_path / "cache")
    gguf.write_bytes(b"other weights")
    assert gguf_module.unpacked_folder(gguf, tmp_path / "cache") != before
    assert len(reads) == 2


def test_a_failed_unpacking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a folder would be loaded for ever after."""

    def broken(gguf: Path, device: str) -> tuple[Any, Any]:
        raise MemoryError

    monkeypatch.setattr(gguf_module, "load_gguf", broken)
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    with pytest.raises(MemoryError):
        gguf_module.unpacked_folder(gguf, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_place_to_keep_it_the_file_is_read_as_it_is(tmp_path: Path, reads: list[Path]) -> None:
    """A read-only machine is slower, not broken."""
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    assert gguf_module.unpacked_folder(gguf, blocked) is None
