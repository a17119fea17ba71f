"""Requests to addresses that customers name, over real sockets: rebinding, redirects, proxies, certificates."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serve_app.storage.outbound import (
    GuardedTransport,
    OutboundPolicy,
    Refused,
    guarded_client,
    system_resolver,
)
from serve_app.webhooks.delivery import Deliverer
from tests.integration.webhooks.conftest import create
from tests.integration.webhooks.test_delivery import cancel_one, the_log
from tests.support.receiver import Answer, Receiver, receiving
from tests.support.world import Customer

STRICT, LOCAL = OutboundPolicy(), OutboundPolicy(allow_loopback=True)
PUBLIC = "93.184.215.14"


class Names:
    """A name server that gives the next answer of its script each time, and the last one from then on."""

    def __init__(self, *script: Sequence[str]) -> None:
        self.script = list(script)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Receiver, ssl.SSLContext]]:
    """A receiver with a certificate for hooks.example, and a context that trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    with receiving(tls=server) as receiver:
        yield receiver, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())


async def post(names: Names, url: str, policy: OutboundPolicy, verify: ssl.SSLContext | None = None) -> httpx.Response:
    async with guarded_client(GuardedTransport(policy, verify, names)) as client:
        return await client.post(url, content=b"{}", timeout=5)


def port_of(receiver: Receiver) -> int:
    return httpx.URL(receiver.url).port or 0


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"],
     ["169.254.169.254"], [PUBLIC, "fd00::1"], []],
)  # fmt: skip
async def test_a_name_with_a_private_address_is_refused(receiver: Receiver, addresses: list[str]) -> None:
    """One private address among the name's suffices. Nothing is sent."""
    with pytest.raises(Refused, match=r"hooks\.example"):
        await post(Names(addresses), f"https://hooks.example:{port_of(receiver)}/", STRICT)
    assert receiver.received == []


async def test_a_rebinding_name_gains_nothing(secure: tuple[Receiver, ssl.SSLContext]) -> None:
    """A request asks once, and goes to the address that was checked; the next request is checked anew."""
    receiver, trust = secure
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    url = f"https://hooks.example:{port_of(receiver)}/hook"
    assert (await post(names, url, LOCAL, trust)).status_code == 200
    assert names.asked == ["hooks.example"]
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        await post(names, url, LOCAL, trust)
    assert len(receiver.received) == 1


async def test_a_pinned_request_keeps_host_and_certificate_of_the_name(
    secure: tuple[Receiver, ssl.SSLContext],
) -> None:
    """The Host header is the name's, and the certificate must be the name's, not the address's."""
    receiver, trust = secure
    port = port_of(receiver)
    await post(Names(["127.0.0.1"]), f"https://hooks.example:{port}/hook", LOCAL, trust)
    assert receiver.received[0].headers["host"] == f"hooks.example:{port}"
    with pytest.raises(httpx.ConnectError, match=r"(?i)hostname"):
        await post(Names(["127.0.0.1"]), f"https://other.example:{port}/hook", LOCAL, trust)
    assert len(receiver.received) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(secure: tuple[Receiver, ssl.SSLContext]) -> None:
    """Of several addresses, the first that takes the connection gets the request."""
    receiver, trust = secure
    names = Names(["127.0.0.99", "127.0.0.1"])
    await post(names, f"https://hooks.example:{port_of(receiver)}/hook", LOCAL, trust)
    assert len(receiver.received) == 1


async def test_plain_http_reaches_this_machine_only(receiver: Receiver) -> None:
    """With the setting for development, http to a name that is not local is refused."""
    assert (await post(Names(["127.0.0.1"]), f"http://localhost:{port_of(receiver)}/", LOCAL)).status_code == 200
    for url, addresses in [("http://hooks.example/", "127.0.0.1"), ("http://app.localhost/", PUBLIC)]:
        with pytest.raises(Refused):
            await post(Names([addresses]), url, LOCAL)
    assert len(receiver.received) == 1


async def test_a_redirect_is_returned_and_not_followed(receiver: Receiver) -> None:
    """Not even to a place that may be requested."""
    receiver.answer = lambda _: Answer(307, {"Location": f"{receiver.url}/next"})
    response = await post(Names(["127.0.0.1"]), receiver.url.replace("127.0.0.1", "localhost"), LOCAL)
    assert (response.status_code, len(receiver.received)) == (307, 1)


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names itself, unchecked."""
    with receiving() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        await post(Names(["127.0.0.1"]), receiver.url.replace("127.0.0.1", "localhost"), LOCAL)
        assert (len(receiver.received), proxy.received) == (1, [])


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
async def test_the_machines_resolver_is_checked_too(receiver: Receiver, host: str) -> None:
    """Whatever notation the system's resolver understands, the address that comes out of it is what counts."""
    async with guarded_client(GuardedTransport(STRICT, resolver=system_resolver)) as client:
        with pytest.raises((Refused, httpx.InvalidURL)):
            await client.post(f"https://{host}:{port_of(receiver)}/", content=b"{}")
    assert receiver.received == []


async def test_a_refused_address_is_told_in_the_log(
    client: httpx.AsyncClient,
    services: Any,
    customer: Customer,
    receiver: Receiver,
    with_sender: Callable[..., Deliverer],
) -> None:
    """A delivery to a name that turns private fails with the reason, and nothing is sent."""
    endpoint = await create(client, customer, url=f"https://hooks.example:{port_of(receiver)}/hook")
    guarded = guarded_client(GuardedTransport(LOCAL, resolver=Names(["192.168.0.10"])))
    await cancel_one(client, customer)
    await with_sender(client=guarded).deliver_due()
    (row,) = await the_log(client, customer, endpoint)
    assert row["error"] == "The host hooks.example resolves to 192.168.0.10, which is not public."
    assert receiver.received == []
