"""All products, read once at start."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from serve_app.errors import VerticalNotFound
from serve_app.verticals.spec import VerticalSpec


class Catalog:
    """Products by slug."""

    def __init__(self, specs: list[VerticalSpec]) -> None:
        self._specs = {spec.slug: spec for spec in specs}

    @classmethod
    def read(cls, folder: Path) -> "Catalog":
        """Read every `*.yaml` of `folder`. Raises pydantic's `ValidationError` naming what is wrong."""
        return cls(
            [VerticalSpec.model_validate(yaml.safe_load(path.read_text())) for path in sorted(folder.glob("*.yaml"))]
        )

    def get(self, slug: str) -> VerticalSpec:
        """The product called `slug`. Raises `VerticalNotFound`."""
        if slug not in self._specs:
            raise VerticalNotFound(f"There is no product called '{slug[:60]}'. Known: {', '.join(self._specs)}.")
        return self._specs[slug]

    def __iter__(self) -> Iterator[VerticalSpec]:
        return iter(self._specs.values())
