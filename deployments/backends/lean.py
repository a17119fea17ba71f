"""Imports without what a library brings along only because it happens to be installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_utilities.core.imports import RequirementCache


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Let Lightning and torchmetrics believe, while they are imported, that `packages` are not installed.

    torchmetrics imports all of transformers for text metrics that diarization never computes: 0.7 s of 4.4.
    """
    asked = RequirementCache.__bool__

    def present(self: RequirementCache) -> bool:
        return not str(self.requirement).startswith(packages) and asked(self)

    RequirementCache.__bool__ = present  # type: ignore[method-assign]
    try:
        yield
    finally:
        RequirementCache.__bool__ = asked  # type: ignore[method-assign]
