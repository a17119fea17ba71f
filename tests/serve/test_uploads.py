"""Uploads that are too large, byte by byte over a socket, through Serve's proxy on the running stack."""

import time
from collections.abc import Iterator

import httpx
import pytest

from serve_app.http.upload import FORM_OVERHEAD
from tests.serve.conftest import SECOND_MAX_BYTES, SECOND_PRODUCT
from tests.serve.pool_calls import Sender
from tests.support.world import tone

JOBS = f"/v1/{SECOND_PRODUCT}/jobs"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
CHUNK = b"\0" * 50_000


@pytest.fixture
def sender(client: httpx.Client) -> Iterator[Sender]:
    """An open connection to the API."""
    with Sender.connected(client) as sender:
        yield sender


def test_a_declared_length_over_the_limit_is_refused_at_once(sender: Sender) -> None:
    """The 413 is there while the sender has sent a few kilobytes of 500 MB, and the server hangs up."""
    sender.begin(JOBS, "Content-Length: 500000000")
    sender.wire.sendall(PART + b"\0" * 4096)
    assert sender.answered(within_s=2)
    assert sender.answer() == (413, "file_too_large")
    assert sender.hung_up()


def test_a_sender_without_end_is_refused_while_it_sends(sender: Sender) -> None:
    """Chunked and never ended: the 413 comes soon after the limit, and the server hangs up."""
    sender.begin(JOBS, "Transfer-Encoding: chunked")
    sender.chunk(PART)
    sent, limit = 0, SECOND_MAX_BYTES + FORM_OVERHEAD
    while not sender.answered() and sent < 10 * limit:
        sender.chunk(CHUNK)
        sent += len(CHUNK)
        time.sleep(0.02)  # 2.5 MB/s; as fast as loopback goes, much lies in buffers before anybody can answer
    assert sender.answer() == (413, "file_too_large")
    assert sender.hung_up()
    assert limit - len(CHUNK) <= sent < 2 * limit


@pytest.mark.parametrize("length", ["Content-Length: 500000000", "Transfer-Encoding: chunked"])
def test_a_stranger_is_refused_at_once(sender: Sender, length: str) -> None:
    """The 401 is there after a few kilobytes, and the server closes the connection."""
    sender.begin(JOBS, length, key="Bearer nonsense")
    sender.chunk(PART + b"\0" * 4096)
    assert sender.answered(within_s=2)
    assert sender.answer() == (401, "invalid_api_key")
    assert sender.hung_up()


def test_an_ordinary_client_reads_the_refusal(client: httpx.Client) -> None:
    """A client that goes on sending still reads the answer, and its next upload works."""
    files = {"file": ("call.wav", b"\0" * 10 * SECOND_MAX_BYTES, "audio/wav")}
    for _ in range(5):
        answer = client.post(JOBS, data={"role_title": "Engineer"}, files=files)
        assert (answer.status_code, answer.json()["detail"]["code"]) == (413, "file_too_large")
    answer = client.post(JOBS, data={"role_title": "Engineer"}, files={"file": ("call.wav", tone(2), "audio/wav")})
    assert answer.status_code == 202
