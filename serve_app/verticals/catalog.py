"""All products, read once at start."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from serve_app.errors import InvalidField, VerticalNotFound
from serve_app.keys.models import ALL_SCOPES
from serve_app.verticals.spec import VerticalSpec


class Catalog:
    """Products by slug."""

    def __init__(self, specs: list[VerticalSpec]) -> None:
        self._specs = {spec.slug: spec for spec in specs}

    @classmethod
    def read(cls, folder: Path) -> "Catalog":
        """Read every `*.yaml` file of `folder`. Raises pydantic's `ValidationError`, which names the wrong field."""
        return cls(
            [VerticalSpec.model_validate(yaml.safe_load(path.read_text())) for path in sorted(folder.glob("*.yaml"))]
        )

    def get(self, slug: str) -> VerticalSpec:
        """The product with this slug. Raises `VerticalNotFound`."""
        if slug not in self._specs:
            raise VerticalNotFound(f"No product is called '{slug[:60]}'. Products: {', '.join(self._specs)}.")
        return self._specs[slug]

    def scopes(self) -> list[str]:
        """Every scope a key can have: `all`, then the products' slugs."""
        return [ALL_SCOPES, *self._specs]

    def check_scope(self, scope: str) -> None:
        """Raise `InvalidField` unless `scope` is one of `scopes()`."""
        if scope not in self.scopes():
            raise InvalidField(f"No scope is called '{scope[:60]}'. Scopes: {', '.join(self.scopes())}.", "scope")

    def __iter__(self) -> Iterator[VerticalSpec]:
        return iter(self._specs.values())
