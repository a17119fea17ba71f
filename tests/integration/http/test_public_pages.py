"""Pages that need no key: error codes, model pool, API documentation."""

import re

import httpx
import pytest

from serve_app.http.pages.error_codes import public_errors


@pytest.mark.parametrize("code", sorted(cls.code for cls in public_errors()))
async def test_every_error_code_has_an_anchor_on_the_error_page(client: httpx.AsyncClient, code: str) -> None:
    """`docs_url` leads to an existing anchor."""
    page = await client.get("/docs/errors")
    assert page.status_code == 200
    assert f'id="{code}"' in page.text


async def test_the_model_status_is_public(client: httpx.AsyncClient) -> None:
    """The status needs no key and has the documented fields."""
    body = (await client.get("/v1/models/status")).json()
    assert {"role", "name", "state", "footprint_mib"} <= body["models"][0].keys()
    assert body["queue_depths"] == {}
    assert body["degraded"] is False


async def test_the_documentation_is_served(client: httpx.AsyncClient) -> None:
    """Swagger UI is at /docs, and the document describes the upload form."""
    assert (await client.get("/docs")).status_code == 200
    assert (await client.get("/redoc")).status_code == 404
    schema = (await client.get("/openapi.json")).json()
    form = schema["paths"]["/v1/{vertical}/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["role_title"]  # the recording is a file or a source_url


async def test_the_documentation_loads_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    """Page, scripts and styles name no other host, and the policy forbids one."""
    page = await client.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 4
    for address in named:
        assert address.startswith(("/docs/", "/static/"))
        assert (await client.get(address)).status_code == 200
    assert "//" not in page.text + (await client.get("/static/api_docs.js")).text
    assert set(re.findall(r"url\([\"']?(\w+:|//)", (await client.get("/docs/assets/swagger-ui.css")).text)) == {"data:"}
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "//" not in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in", "/interviews", "/pool", "/dashboard", "/dashboard/keys", "/pricing", "/docs/errors", "/docs"],
)
async def test_pages_have_a_strict_policy_and_nothing_inline(client: httpx.AsyncClient, path: str) -> None:
    """Scripts and styles are files of this server, and the policy allows no others; Swagger UI sets styles itself."""
    page = await client.get(path)
    policy = page.headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
    assert ("unsafe-inline" in policy) == (path == "/docs")
    assert not re.search(r"<style|<script>|\bstyle=|\bon\w+=", page.text)
    for address in re.findall(r'(?:src|href)="(/static/[^"]*)"', page.text):
        assert (await client.get(address)).status_code == 200
