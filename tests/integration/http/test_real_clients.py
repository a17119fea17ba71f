"""What real clients do on the wire: offer upgrades, send without reading, compress, hang up."""

import asyncio
import gzip
import json
import logging
import urllib.error
import urllib.request

import httpx
import pytest

from serve_app.http.app import create_app
from serve_app.services import Services
from tests.support.asgi import served
from tests.support.calls import JOBS, UPGRADE_OFFER, error, submit
from tests.support.world import Customer, tone

BOUNDARY = "b"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(disposition: str = 'name="file"; filename="call.wav"') -> bytes:
    """A submit form; `disposition` is that of its file."""
    return (
        b'--b\r\nContent-Disposition: form-data; name="role_title"\r\n\r\nEngineer\r\n'
        b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + tone(2) + b"\r\n--b--\r\n"
    )


async def test_an_offered_upgrade_is_ignored_and_the_body_is_read(services: Services, customer: Customer) -> None:
    """Java's HttpClient and `curl --http2` offer h2c with every request; their uploads are accepted."""
    async with (
        served(create_app(services)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=UPGRADE_OFFER) as client,
    ):
        response = await submit(client, customer)
    assert (response.status_code, response.json()["status"]) == (202, "queued")


async def test_a_sender_that_reads_nothing_while_it_sends_sees_the_413(services: Services, customer: Customer) -> None:
    """A sender like urllib sends its 102 MB before it reads; the rest is drained, so nothing is reset."""

    def send(port: int) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{JOBS}",
            data=bytes(102_000_000),
            headers=customer.headers | {"Content-Type": FORM_TYPE},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        return refused.value.code, json.load(refused.value)["detail"]["code"]

    async with served(create_app(services)) as port:
        assert await asyncio.to_thread(send, port) == (413, "file_too_large")


async def test_draining_ends_after_a_bounded_size(
    services: Services, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender without an end is cut off."""
    monkeypatch.setattr("serve_app.http.body_limit.DRAIN_BYTES", 5_000_000)
    async with served(create_app(services)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {JOBS} HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000000\r\n\r\n".encode())
        with pytest.raises(ConnectionError):
            for _ in range(200):
                writer.write(bytes(1_000_000))
                await asyncio.wait_for(writer.drain(), 20)
        del reader


async def test_a_compressed_body_gets_415(client: httpx.AsyncClient, customer: Customer) -> None:
    """The answer says to send it uncompressed, for forms and for JSON."""
    headers = customer.headers | {"Content-Encoding": "gzip"}
    upload = await client.post(JOBS, content=gzip.compress(form()), headers=headers | {"Content-Type": FORM_TYPE})
    key = await client.post("/v1/keys", content=gzip.compress(b'{"name": "x"}'), headers=headers)
    for response in (upload, key):
        assert (response.status_code, error(response)) == (415, "unsupported_encoding")


async def test_a_part_with_only_an_extended_file_name_is_a_file(client: httpx.AsyncClient, customer: Customer) -> None:
    """`filename*=UTF-8''…` alone names the file; its suffix is kept."""
    body = form("name=\"file\"; filename*=UTF-8''Gespr%C3%A4ch%20%221%22.wav")
    response = await client.post(JOBS, content=body, headers=customer.headers | {"Content-Type": FORM_TYPE})
    assert (response.status_code, response.json().get("status")) == (202, "queued")


async def test_lengths_are_told_in_characters(client: httpx.AsyncClient, customer: Customer) -> None:
    """A text over its limit is answered with the limit and its own length."""
    response = await submit(client, customer, role_title="x" * 201)
    assert response.json()["detail"]["message"] == "'role_title': must have at most 200 characters, has 201."
    response = await client.post("/v1/keys", json={"name": "x" * 201}, headers=customer.headers)
    assert response.json()["detail"]["message"] == "name: must have at most 200 characters, has 201"
    rubric = {"competencies": [{"slug": "", "name": "x", "anchors": {}}]}
    response = await submit(client, customer, rubric=json.dumps(rubric))
    assert "items" not in response.json()["detail"]["message"]


async def test_no_answer_leads_to_another_host(client: httpx.AsyncClient, customer: Customer) -> None:
    """A path with a slash too much is a 404, not a redirect to whatever the Host header says."""
    headers = customer.headers | {"Host": "elsewhere.example"}
    for path in ("/v1/jobs/", "/docs/", "/dashboard/", "/static"):
        response = await client.get(path, headers=headers)
        assert "elsewhere" not in response.headers.get("location", "")
        assert response.status_code == 404


async def test_clients_that_hang_up_leave_no_traceback(
    services: Services, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a reader of an event stream nor a sender of a recording that leaves is an error of the service."""
    caplog.set_level(logging.INFO)
    async with served(create_app(services)) as port:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=customer.headers) as client:
            events_url = (await submit(client, customer)).json()["events_url"]
            async with client.stream("GET", events_url) as response:
                await anext(response.aiter_bytes())
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {JOBS} HTTP/1.1\r\nHost: test\r\nAuthorization: {customer.headers['Authorization']}\r\n"
        writer.write(f"{head}Content-Type: {FORM_TYPE}\r\nContent-Length: 5000\r\n\r\n".encode() + form()[:500])
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.5)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
