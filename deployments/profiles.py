"""Profiles: which model plays which role, with which settings and share of a GPU."""

from pathlib import Path
from threading import Thread
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from deployments.backends import SIDE_BY_SIDE, Backend, create, preload
from deployments.weights import Strict, Weights
from serve_app.pipeline.types import ROLES
from serve_app.settings import Paths


class ModelSpec(Strict):
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

    languages: tuple[str, ...] = Field(
        default=(),
        description="Of the ASR model: ISO 639 codes that it transcribes. A submit with another one is refused. Empty "
        "where they are not known: then such a job fails and is refunded.",
    )
    prestart: bool = Field(
        default=True,
        description="Whether a worker is prestarted while the model has no replica. See `prestart_workers`.",
    )

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        if self.at_once > 1 and self.backend not in SIDE_BY_SIDE:
            raise ValueError(f"at_once: {self.backend} serves one call at a time, and batches what is inside it")
        return self

    def weight_bytes(self) -> int:
        """Size of all weights in bytes; 0 if they are not on this machine yet. Cheap: reads no file."""
        return sum(part.size() for part in self.weights.values())

    def preload(self) -> None:
        """Start importing the backend's library in a thread, before the first call needs it."""
        Thread(target=preload, args=(self.backend,), name="preload", daemon=True).start()

    def build(self) -> Backend:
        """Return the backend, without its weights loaded. Raises `ValueError` for an unknown backend name."""
        parts = {"weights": self.weights} if self.weights else {}
        return create(self.backend, name=self.name, **parts, **self.options)


class Profile(Strict):
    """The models of a deployment, by role."""

    description: str = ""
    asr: ModelSpec
    diarizer: ModelSpec
    assessor: ModelSpec


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a profile by name (`embedded`) or by path (`/etc/recruitscreen/models.yaml`).

    `extends: NAME` in the file takes the roles that it leaves out from another profile. Names are looked up in
    `Paths.profiles_dir`. Raises `ValueError` for an unknown name or an invalid file.
    """
    folder, path = Paths().profiles_dir, Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = folder / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise ValueError(f"no model profile {str(name_or_path)!r}; choose one of {known}, or give a .yaml file")
    try:
        roles = yaml.safe_load(path.read_text("utf-8"))
        base = roles.pop("extends", None) if isinstance(roles, dict) else None
        if base is not None:
            inherited = load_profile(base)
            roles = {role: getattr(inherited, role) for role in ROLES} | roles
        return Profile.model_validate(roles)
    except ValidationError as exc:
        raise ValueError(f"{path.name} is not a model profile: {exc}") from exc
