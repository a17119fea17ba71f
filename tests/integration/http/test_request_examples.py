"""The example bodies of the OpenAPI document succeed as they stand."""

import httpx
import pytest

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.http.request_examples import REQUESTS
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.world import Customer


@pytest.fixture
async def names(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> dict[str, str]:
    """Values of the paths' parameters: a completed job, a key and an endpoint of the customer."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    key = await client.post("/v1/keys", json={}, headers=customer.headers)
    endpoint = await client.post("/v1/webhooks", json={"url": "https://example.com/"}, headers=customer.headers)
    rubric = await client.post("/v1/rubrics", json=REQUESTS["create_rubric"] | {"name": "x"}, headers=customer.headers)
    saved = {"rubric_id": rubric.json()["rubric_id"]}
    return saved | {"job_id": job_id, "key_id": key.json()["key_id"], "webhook_id": endpoint.json()["webhook_id"]}


@pytest.mark.parametrize("operation_id", REQUESTS)
async def test_an_example_is_accepted(
    client: httpx.AsyncClient, customer: Customer, names: dict[str, str], operation_id: str
) -> None:
    """Sent to its operation, each example gets a 2xx."""
    document = (await client.get("/openapi.json")).json()
    path, method, body = next(
        (path, method, operation["requestBody"]["content"]["application/json"]["example"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation["operationId"] == operation_id
    )
    answer = await client.request(method, path.format(**names), json=body, headers=customer.headers)
    assert answer.is_success, answer.text
