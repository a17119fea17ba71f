"""Limits of request bodies: how much is read before a request is refused."""

from collections.abc import AsyncIterator

import httpx

from serve_app.services import Services
from tests.support.calls import JOBS, error
from tests.support.world import Customer

MEGABYTE = b"\0" * 1_000_000


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


class Body:
    """A form of 200 MB, generated while it is read."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(200):
            self.read += 1
            yield MEGABYTE


async def test_an_upload_over_the_limit_gets_413_while_it_is_read(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A chunked upload has no declared length; the server stops reading soon after 100 MB."""
    body = Body()
    response = await client.post(JOBS, content=body, headers=customer.headers | FORM)
    assert (response.status_code, error(response)) == (413, "file_too_large")
    assert response.headers["connection"] == "close"
    assert 100 <= body.read <= 103


async def test_a_declared_length_over_the_limit_gets_413_unread(client: httpx.AsyncClient, customer: Customer) -> None:
    """The server refuses by Content-Length and reads nothing."""
    body = Body()
    headers = customer.headers | FORM | {"Content-Length": "200000000"}
    response = await client.post(JOBS, content=body, headers=headers)
    assert (response.status_code, error(response)) == (413, "file_too_large")
    assert response.headers["connection"] == "close"
    assert body.read == 0


async def test_an_invalid_key_gets_401_at_any_length(client: httpx.AsyncClient) -> None:
    """The server checks the key first, reads nothing, and closes the connection."""
    for length in ({"Content-Length": "200000000"}, {}):
        body = Body()
        response = await client.post(JOBS, content=body, headers=FORM | length)
        assert (response.status_code, error(response)) == (401, "invalid_api_key")
        assert response.headers["connection"] == "close"
        assert body.read == 0


async def test_a_refusal_of_a_small_request_keeps_the_connection(client: httpx.AsyncClient) -> None:
    """Reading a small rest costs less than a new connection."""
    response = await client.post("/v1/keys", json={"name": "x"}, headers={"Authorization": "Bearer nonsense"})
    assert (response.status_code, response.headers.get("connection")) == (401, None)


async def test_a_products_own_limit_holds_while_its_bytes_arrive(client: httpx.AsyncClient, services: Services) -> None:
    """A demo accepts 20 MB, and no more is read."""
    await services.limiter._limiter.storage.reset()  # other tests start demos on the same Valkey
    body = Body()
    response = await client.post("/v1/demo/recruitscreen/jobs", content=body, headers=FORM)
    assert (response.status_code, error(response)) == (413, "file_too_large")
    assert 20 <= body.read <= 23


async def test_paths_without_recordings_accept_at_most_one_megabyte(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A larger body gets 413 and is not read to its end."""
    body = Body()
    response = await client.post("/v1/keys", content=body, headers=customer.headers)
    assert (response.status_code, error(response)) == (413, "file_too_large")
    assert body.read <= 2
