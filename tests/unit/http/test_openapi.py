"""The OpenAPI document: complete, with examples that fit its schemas."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr

from serve_app.http.app import create_app
from serve_app.http.request_examples import REQUESTS

SETTINGS = SimpleNamespace(secret_key=SecretStr("unit"), cors_origins=["*"])
DOCUMENT = create_app(SimpleNamespace(settings=SETTINGS)).openapi()


def answers() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(operation, status, media type, content) of every documented response."""
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                for media_type, content in answer.get("content", {}).items():
                    yield operation["operationId"], status, media_type, content


ANSWERS = list(answers())


@pytest.mark.parametrize(("operation", "status", "media_type", "content"), ANSWERS)
def test_every_answer_has_an_example_that_fits_its_schema(
    operation: str, status: str, media_type: str, content: dict[str, Any]
) -> None:
    """Every response, error and format has an example that its schema accepts."""
    examples = [content["example"]] if "example" in content else [one["value"] for one in content["examples"].values()]
    assert examples
    for example in examples:
        for value, schema in streamed(example, content) if "itemSchema" in content else [(example, content["schema"])]:
            jsonschema.validate(value, {**schema, "components": DOCUMENT["components"]})


def streamed(example: str, content: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The data of each event in an example stream, with its schema."""
    schema = content["itemSchema"]["properties"]["data"]["contentSchema"]
    for line in example.splitlines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: ")), schema


def test_every_reference_leads_somewhere() -> None:
    """Every `$ref` resolves; Swagger UI shows an error for one that does not."""
    places = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) <= places


def references(node: Any) -> Iterator[str]:
    """Values of all `$ref` keys below `node`."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == "$ref":
            yield value
        else:
            yield from references(value)


def test_operations_have_short_unique_names() -> None:
    """Generated clients use operation ids as names."""
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) > 20
    assert "submit_job" in names


def test_every_answer_names_its_request() -> None:
    """Every response documents X-Request-Id."""
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            assert all("X-Request-Id" in answer["headers"] for answer in operation["responses"].values())


def test_a_result_is_described_to_the_last_field() -> None:
    """Transcript, metrics, scores and evidence have schemas."""
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["JobView"]["properties"]["result"]["anyOf"][0] == {"$ref": "#/components/schemas/InterviewResult"}
    assert {"talk_ratio", "interruptions"} <= schemas["Metrics"]["properties"].keys()
    assert {"summary", "recommendation", "scores", "submittal_note"} <= schemas["Assessment"]["properties"].keys()
    assert {"score", "rationale", "evidence"} <= schemas["CompetencyScore"]["properties"].keys()


def test_summaries_are_sentences() -> None:
    """Each says in words what the operation does, and the description does not repeat it."""
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            summary = operation["summary"]
            assert summary.endswith(".")
            assert not operation["description"].startswith(summary)


def test_every_json_body_has_an_example_that_fits_its_schema() -> None:
    """`/docs` opens with a body that can be sent as it is."""
    bodies = [
        operation["requestBody"]["content"]["application/json"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(bodies) == len(REQUESTS)
    for body in bodies:
        jsonschema.validate(body["example"], {**body["schema"], "components": DOCUMENT["components"]})
