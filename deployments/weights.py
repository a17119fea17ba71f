"""Where model files lie, and their SHA-256 checks.

Weights come from a file inside an installed package, from the parts of a file in several packages, from a local
directory, or from the Hugging Face hub. This module imports neither a model library nor the package that carries the
weights: some of them initialise GPUs or need heavy libraries when imported.
"""

import hashlib
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Literal, Self

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, model_validator

from serve_app.errors import WeightsUnavailable
from serve_app.settings import Paths

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
        return package_folder(self.distribution, self.version, self.package)

    def target(self) -> Path:
        """File or folder inside the package. Raises `WeightsUnavailable`."""
        return self.root() / self.path


class PartsWeights(_Located):
    """A file too large for one package: its parts lie in several distributions, and are joined once.

    `scripts/weights` joins them while it installs, and leaves the packages out. Where it has not run, the first load
    joins the parts that are installed.
    """

    source: Literal["parts"]
    distribution: str = Field(description="Name of the distributions; {n} is the part's number, from 1.")
    version: str = Field(description="Exact version of all of them.")
    package: str = Field(description="Import name of each part's package, with {n}.")
    path: str = Field(description="The part's file in its package, with {n}.")
    parts: int = Field(ge=1, description="Number of parts.")
    file: str = Field(
        description="Name of the joined file; the other `files` are copied from the folder of the first part."
    )

    @model_validator(mode="after")
    def _has_digest(self) -> Self:
        if self.file not in self.files:
            raise ValueError(f"files: give the SHA-256 of the joined file {self.file}")
        return self

    def root(self) -> Path:
        """Folder of the joined file. Its name holds the file's digest."""
        return Paths().weights_dir / f"{Path(self.file).stem}-{self.files[self.file][:16]}"

    def target(self) -> Path:
        """The joined file, or its folder where other files belong to it."""
        return self.root() if len(self.files) > 1 else self.root() / self.file

    def requirements(self) -> list[str]:
        """The distributions that hold the parts, as pip takes them."""
        return [f"{self.distribution.format(n=n)}=={self.version}" for n in range(1, self.parts + 1)]

    def joined(self) -> bool:
        """Whether the joined files are there."""
        return all((self.root() / name).is_file() for name in self.files)

    def locate(self) -> Path:
        """Join the parts if that is still to do, and return the path. Raises `WeightsUnavailable`.

        A file is hashed when it is joined, and again only when its size or time has changed since.
        """
        if not self.joined():
            join(self._sources(), self.files, self.root())
        for name, expected in self.files.items():
            check_recorded(self.root() / name, expected)
        return self.target()

    def size(self) -> int:
        """See `_Located.size`. Before the join, the size of the parts."""
        if self.joined():
            return super().size()
        try:
            return sum(source.stat().st_size for sources in self._sources().values() for source in sources)
        except (WeightsUnavailable, OSError):
            return 0

    def _sources(self) -> dict[str, list[Path]]:
        """The parts of each file. Raises `WeightsUnavailable` if a package is not installed."""
        try:
            files = [
                package_folder(*(text.format(n=n) for text in (self.distribution, self.version, self.package)))
                / self.path.format(n=n)
                for n in range(1, self.parts + 1)
            ]
        except WeightsUnavailable as error:
            raise WeightsUnavailable(f"{self.file} is not on this machine. Run scripts/weights. ({error})") from None
        return {name: files if name == self.file else [files[0].parent / name] for name in self.files}


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


Weights = Annotated[PackageWeights | PartsWeights | DirectoryWeights | HubWeights, Field(discriminator="source")]
"""Location of one part of a model."""


def package_folder(distribution: str, version: str, package: str) -> Path:
    """Folder of an installed package, found without importing it. Raises `WeightsUnavailable`."""
    try:
        installed = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise WeightsUnavailable(f"Install {distribution}=={version}: it carries the weights.") from None
    if installed != version:
        raise WeightsUnavailable(f"{distribution} is {installed}, but {version} is pinned.")
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsUnavailable(f"{distribution} {installed} has no package {package}.")
    return Path(next(iter(spec.submodule_search_locations)))


def join(sources: Mapping[str, Sequence[Path]], digests: Mapping[str, str], folder: Path) -> None:
    """Write each file of `sources`, the parts one after the other, into `folder`, and record its digest.

    The folder appears whole or not at all. Of several processes one joins, the others wait for it. Memory holds one
    block of a file. Raises `WeightsUnavailable` for a file with another SHA-256, or when nothing can be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if folder.exists():
                return
            half_done = Path(tempfile.mkdtemp(dir=folder.parent, prefix="joining-"))
            try:
                for name, parts in sources.items():
                    _write(parts, half_done / name, digests[name])
                half_done.chmod(0o755)
                half_done.rename(folder)
            finally:
                shutil.rmtree(half_done, ignore_errors=True)
    except OSError as error:
        raise WeightsUnavailable(
            f"{folder.name} cannot be joined in {folder.parent} ({error}). Set WEIGHTS_DIR."
        ) from None


def _write(parts: Sequence[Path], path: Path, expected: str) -> None:
    """Write the parts one after the other, and the record of the file beside it."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    file.write(block)
                    digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != expected:
        raise WeightsUnavailable(f"Model file {path.name} was altered: its SHA-256 is not the expected one.")
    _record(path).write_text(_stamp(path, expected))


def check_recorded(path: Path, expected: str) -> None:
    """As `check_sha256`, but a file whose size and time are those of its record is not hashed again."""
    try:
        known = _record(path).read_text() == _stamp(path, expected)
    except OSError:
        known = False
    if not known:
        check_sha256(path, expected)


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _stamp(path: Path, digest: str) -> str:
    """Digest, size and time of a file."""
    found = path.stat()
    return f"{digest} {found.st_size} {found.st_mtime_ns}\n"


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
