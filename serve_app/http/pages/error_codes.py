"""The page behind every `docs_url`, made from the error tree so that it cannot fall behind."""

import html
import inspect
from collections.abc import Iterator

from serve_app import errors
from serve_app.errors import Internal, JobFailure, RecruitScreenError
from serve_app.http.pages.templates import page


def documented() -> Iterator[type[RecruitScreenError]]:
    """Every error a client can meet, in the order of the tree."""
    seen = {"internal"}
    yield RecruitScreenError
    for cls in vars(errors).values():
        if not inspect.isclass(cls) or not issubclass(cls, RecruitScreenError) or issubclass(cls, Internal):
            continue
        if cls.code not in seen:
            seen.add(cls.code)
            yield cls


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(code, status, retryable, what it means) of each error."""
    for cls in documented():
        status = f"job fails ({cls.status})" if issubclass(cls, JobFailure) else str(cls.status)
        meaning = inspect.cleandoc(cls.__doc__ or "").split("Second argument")[0].strip()
        if cls is RecruitScreenError:
            meaning = cls.default
        yield cls.code, status, "yes" if cls.retryable else "no", meaning


def as_html() -> str:
    """The page."""
    body = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{retryable}</td>'
        f"<td>{html.escape(meaning)}</td></tr>"
        for code, status, retryable, meaning in rows()
    )
    return PAGE.replace("{rows}", body)


def as_markdown() -> str:
    """The same for docs/errors.md."""
    lines = [f"| `{code}` | {status} | {retryable} | {meaning} |" for code, status, retryable, meaning in rows()]
    return MARKDOWN + "\n".join(line.replace("\n", " ") for line in lines) + "\n"


MARKDOWN = """# Errors

Made from `serve_app/errors.py` by `python -m serve_app.cli write-error-docs`; a test fails when it is out of date.

Every error answers `{"detail": {"error", "message", "code", "retryable", "request_id", "docs_url"}}`, some with more
fields. A job that fails carries its code as `detail` of the last event and as `error.code`.

What Serve's own proxy says when it cannot reach the application (no replica, one that died with the request, a wait
that the client limited) is a 503 `unavailable` of this form with `Retry-After`. HAProxy, and whatever else stands in
front, answers such cases in its own form: treat a 500, 502, 503 or 504 without JSON as `unavailable`.

| code | status | retry? | meaning |
| --- | --- | --- | --- |
"""

PAGE = page("errors")
