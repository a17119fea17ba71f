"""The OpenAPI document: what FastAPI derives, with an example of every answer and the form of every error."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from serve_app.errors import InsufficientCredits, InvalidField, RecruitScreenError
from serve_app.http import examples
from serve_app.http.schemas import ErrorBody, StreamedEvent
from serve_app.pipeline.result import InterviewResult

REF = "#/components/schemas/{model}"
REQUEST_ID = {"X-Request-Id": {"schema": {"type": "string"}, "description": "Quote it when you ask for help."}}

EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["status", "progress"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": REF.format(model="StreamedEvent")},
        },
        "retry": {"type": "integer", "description": "Milliseconds; with a stream's first event."},
    },
}
"""One event of the stream, in the words of OpenAPI 3.2."""


def refusals(*kinds: type[RecruitScreenError]) -> dict[int | str, dict[str, Any]]:
    """`responses=` for a route: the errors it may answer with, by status, each with an example."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        content = {"schema": {"$ref": REF.format(model="ErrorBody")}, "examples": {}}
        answer = found.setdefault(kind.status, {"description": "", "content": {"application/json": content}})
        summary = kind.summary()
        answer["description"] = f"{answer['description']} {summary}".strip()
        answer["content"]["application/json"]["examples"][kind.code] = {"summary": summary, "value": example_of(kind)}
    return found


def example_of(kind: type[RecruitScreenError]) -> dict[str, Any]:
    """The body of an error as a client would see it."""
    detail: dict[str, Any] = {
        "error": kind.code,
        "message": kind.default,
        "code": kind.code,
        "retryable": kind.retryable,
        "request_id": "req_0d6b1c9e5f7a42388e13",
        "docs_url": f"https://api.example.com/docs/errors#{kind.code}",
    }
    if issubclass(kind, InsufficientCredits):
        detail |= {"credits_needed": 7, "upgrade_url": "https://api.example.com/pricing"}
    if kind is InvalidField:
        detail |= {"message": "'file' is missing: attach the recording as a file field called 'file'.", "field": "file"}
    return {"detail": detail}


def operation_id(route: APIRoute) -> str:
    """`jobs_submit`: what a generated client calls the operation."""
    return "_".join([*map(str, route.tags), route.name])


def install(app: FastAPI) -> None:
    """Serve our document in place of FastAPI's."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            derived = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = completed(derived)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to extend the document


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with examples, the shared error body and what every route may answer."""
    schemas = document["components"]["schemas"]
    for type_ in (ErrorBody, InterviewResult, StreamedEvent):
        schema = TypeAdapter(type_).json_schema(ref_template=REF)
        schemas |= schema.pop("$defs", {}) | {type_.__name__: schema}
    # A stored result is shown as it is and not validated again, so that one of an older version stays readable.
    result = schemas["JobView"]["properties"]["result"]
    result["anyOf"] = [{"$ref": REF.format(model="InterviewResult")}, {"type": "null"}]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] |= {"500": refusals(RecruitScreenError)[500]}
            for status, answer in operation["responses"].items():
                answer["headers"] = REQUEST_ID
                if status < "300":
                    _illustrate(answer, operation["operationId"])
    return document


def _illustrate(answer: dict[str, Any], operation: str) -> None:
    for media_type, content in answer.get("content", {}).items():
        if media_type in examples.TEXTS:
            content |= {"schema": {"type": "string"}, "example": examples.TEXTS[media_type]}
        elif media_type == "text/event-stream":
            content |= {"itemSchema": EVENT, "example": examples.ANSWERS[operation]}
        else:
            content["example"] = examples.ANSWERS[operation]
