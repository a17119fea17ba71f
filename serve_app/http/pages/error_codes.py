"""The page behind every `docs_url` and docs/errors.md, both generated from the error tree."""

import inspect
from collections.abc import Iterator
from typing import NamedTuple

from serve_app import errors
from serve_app.errors import Internal, JobFailure, RecruitScreenError


class ErrorRow(NamedTuple):
    """One error, as tables show it."""

    code: str
    status: str
    retryable: str
    meaning: str


def public_errors() -> Iterator[type[RecruitScreenError]]:
    """Every error a client can receive, in the order of the tree."""
    seen = {"internal"}
    yield RecruitScreenError
    for cls in vars(errors).values():
        if not inspect.isclass(cls) or not issubclass(cls, RecruitScreenError) or issubclass(cls, Internal):
            continue
        if cls.code not in seen:
            seen.add(cls.code)
            yield cls


def rows() -> list[ErrorRow]:
    """All public errors."""
    return [
        ErrorRow(
            cls.code,
            f"job fails ({cls.status})" if issubclass(cls, JobFailure) else str(cls.status),
            "yes" if cls.retryable else "no",
            cls.summary(),
        )
        for cls in public_errors()
    ]


def as_markdown() -> str:
    """The text of docs/errors.md."""
    lines = [f"| `{row.code}` | {row.status} | {row.retryable} | {row.meaning} |" for row in rows()]
    return MARKDOWN + "\n".join(line.replace("\n", " ") for line in lines) + "\n"


MARKDOWN = """# Errors

Generated from `serve_app/errors.py` by `recruitscreen-admin write-error-docs`. A test fails when this file is out
of date.

The body of every error is `{"detail": {"error", "message", "code", "retryable", "request_id", "docs_url"}}`, sometimes
with more fields. A failed job carries its code as `detail` of the last event and as `error.code`.

When Serve's proxy cannot reach the application (no replica, a replica that died with the request, a timeout set by the
client), it answers 503 `unavailable` in this form, with `Retry-After`. HAProxy and other proxies in front of it answer
in their own form: treat a 500, 502, 503 or 504 without JSON as `unavailable`.

| code | status | retry? | meaning |
| --- | --- | --- | --- |
"""
