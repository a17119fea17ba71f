"""Errors as clients see them: `{"detail": {"error", "message", "code", "retryable", "request_id", "docs_url", …}}`.

Nothing else may reach a client: no traceback, no type name, no path.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serve_app.errors import (
    FileTooLarge,
    InsufficientCredits,
    Invalid,
    InvalidField,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    RecruitScreenError,
)
from serve_app.http.request_id import request_id
from serve_app.settings import Settings

log = logging.getLogger(__name__)

FRAMEWORK_ERRORS: dict[int, RecruitScreenError] = {
    404: NotFound("There is nothing at this address."),
    405: MethodNotAllowed(),
    413: FileTooLarge("The request is larger than is accepted here."),
}
"""What the framework refuses, as errors of ours. A form that cannot be parsed is its 400; the API has none."""
UNREADABLE = Invalid("The request could not be read. Check its headers and its body.")


def install(app: FastAPI) -> None:
    """Answer every exception in our form."""
    settings: Settings = app.state.services.settings

    async def ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RecruitScreenError)
        if error.status >= 500:
            log.error("request %s: %s", request_id(request), error.code, exc_info=error)
        return respond(request, settings, error.status, describe(error, settings), headers_for(error))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        named = first["type"] != "json_invalid"  # which has the offset in the place of a name
        field = ".".join(str(part) for part in first["loc"][1:] if named) or "body"
        detail = {"error": "invalid_field", "message": f"{field}: {first['msg']}", "field": field}
        return respond(request, settings, 422, detail)

    async def framework(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        known = FRAMEWORK_ERRORS.get(error.status_code, UNREADABLE)
        return respond(request, settings, known.status, describe(known, settings), dict(error.headers or {}))

    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("request %s failed", request_id(request), exc_info=error)
        return respond(request, settings, 500, describe(RecruitScreenError(), settings))

    app.add_exception_handler(RecruitScreenError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unknown)


def describe(error: RecruitScreenError, settings: Settings) -> dict[str, Any]:
    """The fields of `detail` that an error carries of itself."""
    detail: dict[str, Any] = {"error": error.code, "message": error.message, "retryable": error.retryable}
    if error.status == 500:
        detail["message"] = RecruitScreenError.default
    if isinstance(error, InsufficientCredits):
        detail |= {"credits_needed": error.credits_needed, "upgrade_url": settings.pricing_url}
    if isinstance(error, InvalidField):
        detail["field"] = error.field
    return detail


def headers_for(error: RecruitScreenError) -> dict[str, str]:
    """Headers that belong to an error."""
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_s), **error.fields}
    return {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}


def respond(
    request: Request, settings: Settings, status: int, detail: dict[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    """The answer with `detail`, and where the caller stands."""
    standing: dict[str, str] = getattr(request.state, "rate_limit", {})
    return JSONResponse(body_of(settings, request_id(request), detail), status, standing | (headers or {}))


def body_of(settings: Settings, request_id: str, detail: dict[str, Any]) -> dict[str, Any]:
    """`detail` completed with what every error carries."""
    common = {
        "code": detail["error"],
        "retryable": False,
        "request_id": request_id,
        "docs_url": f"{settings.docs_url}#{detail['error']}",
    }
    return {"detail": common | detail}
