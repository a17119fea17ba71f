"""The OpenAPI document: FastAPI's own, with examples, sentences as summaries, and the schema of every error."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from serve_app.errors import InsufficientCredits, InvalidField, RecruitScreenError
from serve_app.http import examples
from serve_app.http.request_examples import REQUESTS
from serve_app.http.schemas import ErrorBody, StreamedEvent
from serve_app.http.webhook_schemas import EventMessage
from serve_app.pipeline.result import InterviewResult
from serve_app.webhooks.models import EventType

REF = "#/components/schemas/{model}"
REQUEST_ID = {"X-Request-Id": {"schema": {"type": "string"}, "description": "The request's id, for support."}}


def stream_item(names: list[str], model: str) -> dict[str, Any]:
    """Schema of one event of a stream (`itemSchema`, OpenAPI 3.2): its names, and the schema of its data."""
    return {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string"},
            "event": {"enum": names},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": REF.format(model=model)},
            },
            "retry": {"type": "integer", "description": "Reconnection delay in ms, in the first event."},
        },
    }


STREAM_ITEMS = {
    "stream_job_events": stream_item(["status", "progress", "review"], "StreamedEvent"),
    "stream_events": stream_item(list(EventType), "EventMessage"),
}
"""By operation id."""


def refusals(*kinds: type[RecruitScreenError]) -> dict[int | str, dict[str, Any]]:
    """Value of a route's `responses=`: the errors it may answer, by status, each with an example."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        content = {"schema": {"$ref": REF.format(model="ErrorBody")}, "examples": {}}
        response = responses.setdefault(kind.status, {"description": "", "content": {"application/json": content}})
        summary = kind.summary()
        response["description"] = f"{response['description']} {summary}".strip()
        response["content"]["application/json"]["examples"][kind.code] = {"summary": summary, "value": example_of(kind)}
    return responses


def example_of(kind: type[RecruitScreenError]) -> dict[str, Any]:
    """An example body of an error."""
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
    if kind is InsufficientCredits:
        detail |= {"credits_remaining": 0}
    if kind is InvalidField:
        detail |= {"message": "'file' is missing. Attach the recording as the file field 'file'.", "field": "file"}
    return {"detail": detail}


def operation_id(route: APIRoute) -> str:
    """The operation's id is the name of its function, e.g. `submit_job`. Generated clients use it as a method name."""
    return route.name


def install(app: FastAPI) -> None:
    """Serve the completed document in place of FastAPI's."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            derived = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = completed(derived)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to extend the document


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with examples, the schemas of errors, results and events, and the 500 of every operation."""
    schemas = document["components"]["schemas"]
    for type_ in (ErrorBody, EventMessage, InterviewResult, StreamedEvent):
        schema = TypeAdapter(type_).json_schema(ref_template=REF)
        schemas |= schema.pop("$defs", {}) | {type_.__name__: schema}
    # Stored results are not validated when shown, so that results of older versions stay readable.
    result = schemas["JobView"]["properties"]["result"]
    result["anyOf"] = [{"$ref": REF.format(model="InterviewResult")}, {"type": "null"}]
    for path in document["paths"].values():
        for operation in path.values():
            _add_sentence(operation)
            _add_request_example(operation)
            operation["responses"] |= {"500": refusals(RecruitScreenError)[500]}
            for status, response in operation["responses"].items():
                response["headers"] = REQUEST_ID
                if status < "300":
                    _add_example(response, operation["operationId"])
    return document


def _add_sentence(operation: dict[str, Any]) -> None:
    """The first sentence of the description as the summary. FastAPI's own is the function's name in capitals."""
    summary, end, rest = operation["description"].partition(". ")
    first_line = summary.split("\n")[0]
    operation["summary"] = first_line.rstrip(".") + "."
    described = rest if end and first_line == summary else operation["description"][len(first_line) :]
    operation["description"] = described.strip()


def _add_request_example(operation: dict[str, Any]) -> None:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "application/json":
            content["example"] = REQUESTS[operation["operationId"]]


def _add_example(response: dict[str, Any], operation: str) -> None:
    for media_type, content in response.get("content", {}).items():
        if media_type in examples.FILES.get(operation, {}):
            content |= {"schema": {"type": "string"}, "example": examples.FILES[operation][media_type]}
        elif media_type == "text/event-stream":
            content |= {"itemSchema": STREAM_ITEMS[operation], "example": examples.RESPONSES[operation]}
        else:
            content["example"] = examples.RESPONSES[operation]
