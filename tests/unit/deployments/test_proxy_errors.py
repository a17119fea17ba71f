"""Serve's own errors in the form of this API: over a function as proxy here, over the real proxy in tests/serve."""

import httpx
import pytest
from ray.serve._private.http_util import _apply_middlewares
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.proxy_errors import ProxyErrors, middlewares
from serve_app.settings import Settings

SETTINGS = Settings(database_url="x", redis_url="x", secret_key="x", public_url="https://api.test")


async def ask(proxy: ASGIApp, path: str = "/v1/credits") -> httpx.Response:
    transport = httpx.ASGITransport(ProxyErrors(proxy, SETTINGS))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    "original",
    [
        PlainTextResponse("Request 5 timed out after 3.0s.", 408, {"X-Request-Id": "5"}),
        PlainTextResponse("Request dropped due to backpressure", 503, {"X-Request-Id": "5", "Retry-After": "7"}),
        PlainTextResponse("Path '/' not found. Ping http://.../-/routes for available routes.", 404),
        Response("Internal Server Error", 500),
    ],
)
async def test_an_error_of_serves_becomes_one_of_ours(original: Response) -> None:
    """Serve's error becomes 503 unavailable, with Serve's request id and Retry-After and none of its text."""
    answer = await ask(original)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["code"], detail["retryable"]) == (503, "unavailable", True)
    assert detail["docs_url"] == "https://api.test/docs/errors#unavailable"
    assert detail["request_id"] == answer.headers["x-request-id"]
    assert detail["request_id"] == original.headers.get("x-request-id", detail["request_id"])
    assert answer.headers["retry-after"] == original.headers.get("retry-after", "1")


async def test_a_replica_that_dies_with_a_request_is_an_error_of_ours() -> None:
    """A proxy that sends nothing becomes 503 unavailable."""

    async def dead(scope: Scope, receive: Receive, send: Send) -> None: ...

    answer = await ask(dead)
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    "original",
    [
        JSONResponse({"detail": {"code": "job_not_found"}}, 404),
        PlainTextResponse("1\n00:00", 200),
        HTMLResponse("<p>Wrong key.</p>", 401),
    ],
)
async def test_the_applications_answers_pass_as_they_are(original: Response) -> None:
    """The application's errors and documents pass unchanged."""
    answer = await ask(original)
    assert (answer.status_code, answer.content) == (original.status_code, original.body)


async def test_a_page_of_another_origin_can_read_serves_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composed as Serve composes them, the middlewares name the origin once, on errors, answers and preflights."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.setenv(name, "x")
    page = {"Origin": "https://app.customer.example"}
    answered = JSONResponse({}, headers={"Access-Control-Allow-Origin": "*", "Vary": "Origin"})
    for original, status in ((PlainTextResponse("timed out", 408), 503), (answered, 200)):
        proxy = _apply_middlewares(original, middlewares())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy), base_url="http://test") as client:
            answer = await client.get("/v1/credits", headers=page)
            preflight = await client.options("/v1/credits", headers=page | {"Access-Control-Request-Method": "GET"})
        assert (answer.status_code, preflight.status_code) == (status, 200)
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert preflight.headers.get_list("access-control-allow-origin") == ["*"]


async def test_serves_own_pages_for_operators_pass() -> None:
    """Paths under /-/ pass unchanged."""
    assert (await ask(PlainTextResponse("not ready", 503), "/-/healthz")).text == "not ready"
