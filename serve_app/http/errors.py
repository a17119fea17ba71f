"""Error responses: `{"detail": {"error", "message", "code", "retryable", "request_id", "docs_url", …}}`.

Every exception is answered in this form. No traceback, type name or path reaches a client.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serve_app.errors import (
    FileTooLarge,
    InsufficientCredits,
    Invalid,
    InvalidField,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RecruitScreenError,
    Unavailable,
    UnsupportedEncoding,
)
from serve_app.http.pages.templates import render
from serve_app.http.request_id import request_id
from serve_app.settings import Settings
from serve_app.storage.blobs import outage

log = logging.getLogger(__name__)

FRAMEWORK_ERRORS: dict[int, RecruitScreenError] = {
    404: NotFound("This path does not exist. See /docs for all paths."),
    405: MethodNotAllowed(),
    415: UnsupportedEncoding(),
}
"""Errors for the HTTP statuses that Starlette raises itself."""
UNREADABLE = Invalid("The request could not be parsed. Check its headers and its body.")
"""For every other status, e.g. Starlette's 400 for a form that it cannot parse. The API has no 400."""


def install(app: FastAPI) -> None:
    """Register the handlers of all exceptions."""
    settings: Settings = app.state.services.settings

    async def handle_product_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RecruitScreenError)
        if isinstance(error, Unavailable):
            log.warning("request %s: %s (%s)", request_id(request), error.code, error.__cause__ or error)
        elif error.status >= 500:
            log.error("request %s: %s", request_id(request), error.code, exc_info=error)
        return respond(request, settings, error.status, describe(error, settings), headers_for(error))

    async def handle_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        named = first["type"] != "json_invalid"  # its `loc` holds the offset of the mistake
        field = ".".join(str(part) for part in first["loc"][1:] if named) or "body"
        detail = {"error": "invalid_field", "message": f"{field}: {message_of(first)}", "field": field}
        return respond(request, settings, 422, detail)

    async def handle_framework_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = FRAMEWORK_ERRORS.get(error.status_code, UNREADABLE)
        if error.status_code == 413:  # from `body_limit`, which names the limit
            known = FileTooLarge(error.detail)
        return respond(request, settings, known.status, describe(known, settings), dict(error.headers or {}))

    async def handle_disk_error(request: Request, error: Exception) -> Response:
        """The temporary file of an upload could not be written."""
        assert isinstance(error, OSError)
        log.error("request %s: a file could not be read or written", request_id(request), exc_info=error)
        return await handle_product_error(request, outage(error))

    async def handle_disconnect(request: Request, _: Exception) -> Response:
        log.info("request %s: the client hung up", request_id(request))
        return Response(status_code=499)  # nobody receives it

    async def handle_unexpected_error(request: Request, error: Exception) -> Response:
        log.error("request %s failed", request_id(request), exc_info=error)
        return respond(request, settings, 500, describe(RecruitScreenError(), settings))

    app.add_exception_handler(RecruitScreenError, handle_product_error)
    app.add_exception_handler(RequestValidationError, handle_validation_error)
    app.add_exception_handler(HTTPException, handle_framework_error)
    app.add_exception_handler(OSError, handle_disk_error)
    app.add_exception_handler(ClientDisconnect, handle_disconnect)
    app.add_exception_handler(Exception, handle_unexpected_error)


def describe(error: RecruitScreenError, settings: Settings) -> dict[str, Any]:
    """The fields of `detail` that depend on the error."""
    detail: dict[str, Any] = {"error": error.code, "message": error.message, "retryable": error.retryable}
    if error.status == 500:
        detail["message"] = RecruitScreenError.default
    if isinstance(error, InsufficientCredits):
        detail |= {"credits_needed": error.credits_needed, "upgrade_url": settings.pricing_url}
        if error.credits_remaining is not None:
            detail["credits_remaining"] = error.credits_remaining
    if isinstance(error, InvalidField):
        detail["field"] = error.field
    return detail


def headers_for(error: RecruitScreenError) -> dict[str, str]:
    """Headers that an error requires."""
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_s), **error.fields}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}


def message_of(error: Mapping[str, Any]) -> str:
    """The message of one pydantic error, without its final stop. Lengths of texts are told in characters."""
    limits = error.get("ctx", {})
    if isinstance(error["input"], str) and error["type"] in {"too_long", "string_too_long"}:
        return f"must have at most {limits['max_length']} characters, has {len(error['input'])}"
    if isinstance(error["input"], str) and error["type"] in {"too_short", "string_too_short"}:
        least = limits["min_length"]
        return f"must have at least {least} character{'s'[: least > 1]}, has {len(error['input'])}"
    return str(error["msg"]).removeprefix("Value error, ").rstrip(".")


def respond(
    request: Request, settings: Settings, status: int, detail: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """The error response with `detail`: a page for a browser that opens one, JSON for everybody else."""
    if not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", ""):
        heading = {403: "Your role does not allow this", 404: "This page does not exist", 503: "Back in a moment"}.get(
            status, "This did not work"
        )
        context = {"status": status, "heading": heading, "message": detail["message"]}
        return render("error.html", context | {"request_id": request_id(request)}, status=status, headers=headers)
    rate_limit: dict[str, str] = getattr(request.state, "rate_limit", {})
    return JSONResponse(body_of(settings, request_id(request), detail), status, rate_limit | (headers or {}))


def body_of(settings: Settings, request_id: str, detail: dict[str, Any]) -> dict[str, Any]:
    """The body of an error: `detail` and the fields that every error has."""
    common = {
        "code": detail["error"],
        "retryable": False,
        "request_id": request_id,
        "docs_url": f"{settings.docs_url}#{detail['error']}",
    }
    return {"detail": common | detail}
