"""Which model plays which role, and where its files lie: profiles, model specs, and "weights → local path".

Weights come from a file inside an installed package, a local directory, or the Hugging Face hub. Nothing here imports
a model library or the package that carries the weights: importing some of them starts GPUs or needs heavy parts.
"""

import hashlib
from abc import ABC, abstractmethod
from functools import cache
from importlib import metadata, util
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployments.backends import SIDE_BY_SIDE, Backend, create, preload
from serve_app.errors import WeightsUnavailable

PROFILES = Path(__file__).resolve().parents[1] / "config" / "models"
"""Folder of the profiles that can be named without a path."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Located(_Strict, ABC):
    """Files under one root, some of them with a SHA-256 to match."""

    files: dict[str, Sha256] = Field(default_factory=dict, description="File relative to the root → its SHA-256.")

    @abstractmethod
    def root(self) -> Path:
        """Folder that `files` is relative to. Raises `WeightsUnavailable`."""

    def target(self) -> Path:
        """File or folder a backend reads. Raises `WeightsUnavailable`."""
        return self.root()

    def locate(self) -> Path:
        """Return where the weights lie, after their hashes were checked. Raises `WeightsUnavailable`."""
        root, target = self.root(), self.target()
        if not target.exists():
            raise WeightsUnavailable(f"Model files are missing: {target.name} is not in {root.name}.")
        for name, expected in self.files.items():
            check_sha256(root / name, expected)
        return target

    def size(self) -> int:
        """Bytes `locate` leads to; 0 where they are not on this machine yet. Cheap: reads no file."""
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
        """Fetch what is not cached, then check. Raises `WeightsUnavailable`."""
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
        except Exception as exc:  # hub, network, proxy and disk errors share no base class, and mean the same here
            raise WeightsUnavailable(f"{self.repo} is neither cached nor to be had from the hub: {exc}") from exc


Weights = Annotated[PackageWeights | DirectoryWeights | HubWeights, Field(discriminator="source")]
"""Where one part of a model lies."""


class ModelSpec(_Strict):
    """One role's model: which backend runs it, from what, with which settings and share of a GPU."""

    backend: str = Field(description="Key of deployments.backends.BACKENDS.")
    name: str = Field(description="Public name, as the model status shows it.")
    weights: dict[str, Weights] = Field(default_factory=dict, description="Part of the model → where it lies.")
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the backend.")
    num_gpus: float = Field(default=0, ge=0, description="Share of a GPU that Ray books for one replica.")
    footprint_mib: int = Field(default=0, ge=0, description="Memory expected once loaded; a measurement replaces it.")
    at_once: int = Field(
        default=1,
        ge=1,
        description="Calls a replica serves side by side; more than one where the backend can (openai_llm).",
    )

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        if self.at_once > 1 and self.backend not in SIDE_BY_SIDE:
            raise ValueError(f"at_once: {self.backend} serves one call at a time, and batches what is inside it")
        return self

    def weight_bytes(self) -> int:
        """Size of all weights, 0 where they are not on this machine yet. Cheap: imports and reads nothing."""
        return sum(part.size() for part in self.weights.values())

    def preload(self) -> None:
        """Import the backend's library in a thread of its own, so that the first call finds it there."""
        Thread(target=preload, args=(self.backend,), name="preload", daemon=True).start()

    def build(self) -> Backend:
        """Return the backend, without its weights loaded. Raises `ValueError` for an unknown backend name."""
        parts = {"weights": self.weights} if self.weights else {}
        return create(self.backend, name=self.name, **parts, **self.options)


class Profile(_Strict):
    """The models of a deployment, by role."""

    description: str = ""
    asr: ModelSpec
    diarizer: ModelSpec
    assessor: ModelSpec


class ModelChoice(_Strict):
    """`user_config` of a model deployment: a model given whole, or this role's model in a profile."""

    model: ModelSpec | None = None
    profile: str | None = None

    def spec(self, role: str) -> ModelSpec:
        """The chosen model. Raises `ValueError` when none is chosen, or both ways at once."""
        if (self.model is None) == (self.profile is None):
            raise ValueError("give either 'model' or 'profile'")
        if self.model is not None:
            return self.model
        chosen: ModelSpec = getattr(load_profile(self.profile or ""), role)
        return chosen


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a profile by name (`embedded`) or by path (`/etc/recruitscreen/models.yaml`).

    Raises `ValueError` when there is no such profile or it does not hold what a profile holds.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = PROFILES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in PROFILES.glob("*.yaml")))
        raise ValueError(f"no model profile {str(name_or_path)!r}; choose one of {known}, or give a .yaml file")
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except ValidationError as exc:
        raise ValueError(f"{path.name} is not a model profile: {exc}") from exc


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
