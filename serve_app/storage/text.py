"""Text that PostgreSQL can store: no NUL, no unpaired surrogates. JSON and forms can contain both."""

from typing import Annotated, Any

from pydantic import AfterValidator


def storable(text: str) -> bool:
    """Whether PostgreSQL can store `text`."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _checked(text: str) -> str:
    if not storable(text):
        raise ValueError("must not contain NUL or unpaired surrogate characters")
    return text


Storable = Annotated[str, AfterValidator(_checked)]
"""A string that PostgreSQL can store."""


def storable_json(value: Any) -> bool:
    """Whether PostgreSQL can store and return every string, name and number of a JSON value."""
    match value:
        case str():
            return storable(value)
        case float():
            return abs(value) != float("inf") and value == value  # noqa: PLR0124 - NaN is not itself
        case dict():
            return all(storable(name) and storable_json(inner) for name, inner in value.items())
        case list():
            return all(map(storable_json, value))
    return True
