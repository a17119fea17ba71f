"""Where model files lie, and their SHA-256 checks.

Weights come from a file inside an installed package, a local directory, or the Hugging Face hub. This module imports
neither a model library nor the package that carries the weights: some of them initialise GPUs or need heavy libraries
when imported.
"""

import hashlib
from abc import ABC, abstractmethod
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve_app.errors import WeightsUnavailable

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Located(Strict, ABC):
    """Files under one root, some of them with a SHA-256 to match."""

    files: dict[str, Sha256] = Field(default_factory=dict, description="File relative to the root → its SHA-256.")

    @abstractmethod
    def root(self) -> Path:
        """Folder that `files` is relative to. Raises `WeightsUnavailable`."""

    def target(self) -> Path:
        """File or folder a backend reads. Raises `WeightsUnavailable`."""
        return self.root()

    def locate(self) -> Path:
        """Check the hashes and return the path. Raises `WeightsUnavailable`."""
        root, target = self.root(), self.target()
        if not target.exists():
            raise WeightsUnavailable(f"Model files are missing: {target.name} is not in {root.name}.")
        for name, expected in self.files.items():
            check_sha256(root / name, expected)
        return target

    def size(self) -> int:
        """Size in bytes; 0 if the files are not on this machine yet. Cheap: reads no file."""
        try:
            return _bytes_under(self.target())
        except WeightsUnavailable:
            return 0


class PackageWeights(_Located):
    """Files inside an installed distribution, found without importing it."""

    source: Literal["package"]
    distribution: str
    version: str = Field(description="Exact version the hashes belong to.")
    package: str = Field(description="Import name of the package whose folder holds the files.")
    path: str = Field(description="File or folder, relative to the package's folder.")

    def root(self) -> Path:
        """Folder of the package. Raises `WeightsUnavailable`."""
        try:
            installed = metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            raise WeightsUnavailable(f"Install {self.distribution}=={self.version}: it carries the weights.") from None
        if installed != self.version:
            raise WeightsUnavailable(f"{self.distribution} is {installed}, but {self.version} is pinned.")
        spec = util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsUnavailable(f"{self.distribution} {installed} has no package {self.package}.")
        return Path(next(iter(spec.submodule_search_locations)))

    def target(self) -> Path:
        """File or folder inside the package. Raises `WeightsUnavailable`."""
        return self.root() / self.path


class DirectoryWeights(_Located):
    """A folder (or one file) on this machine."""

    source: Literal["directory"]
    path: Path

    def root(self) -> Path:
        """The folder itself, or the one that holds the file."""
        path = self.path.expanduser()
        return path.parent if path.is_file() else path

    def target(self) -> Path:
        """The folder or file as configured."""
        return self.path.expanduser()


class HubWeights(_Located):
    """A repository on the Hugging Face hub, fetched once into the hub's own cache."""

    source: Literal["hub"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = None
    allow: tuple[str, ...] | None = Field(
        default=None, description="Glob patterns of the files to fetch; all if unset."
    )

    def root(self) -> Path:
        """Folder of the snapshot, from the cache alone. Raises `WeightsUnavailable`."""
        return self._snapshot(local_files_only=True)

    def locate(self) -> Path:
        """Fetch missing files into the cache, then check the hashes. Raises `WeightsUnavailable`."""
        self._snapshot(local_files_only=False)
        return super().locate()

    def _snapshot(self, *, local_files_only: bool) -> Path:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 — 0.4 s that the embedded profile never pays

        allow = list(self.allow) if self.allow else None
        try:
            return Path(
                snapshot_download(
                    self.repo, revision=self.revision, allow_patterns=allow, local_files_only=local_files_only
                )
            )
        except Exception as exc:  # hub, network, proxy and disk errors share no base class and are handled alike
            raise WeightsUnavailable(f"{self.repo} is not cached and cannot be fetched from the hub: {exc}") from exc


Weights = Annotated[PackageWeights | DirectoryWeights | HubWeights, Field(discriminator="source")]
"""Location of one part of a model."""


def check_sha256(path: Path, expected: str) -> None:
    """Raise `WeightsUnavailable` unless `path` is a file with this SHA-256. Hashed once per (path, size, mtime)."""
    try:
        found = path.stat()
    except OSError:
        raise WeightsUnavailable(f"Model file {path.name} is missing.") from None
    if _sha256(path, found.st_size, found.st_mtime_ns) != expected:
        raise WeightsUnavailable(f"Model file {path.name} was altered: its SHA-256 is not the expected one.")


def sha256(path: Path) -> str:
    """Digest of a file. Hashed once per (path, size, mtime)."""
    found = path.stat()
    return _sha256(path, found.st_size, found.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    """Digest of a file; size and time are in the signature so that a changed file is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes_under(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())
