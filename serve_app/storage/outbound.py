"""Requests to addresses that customers name. They reach public addresses only.

A URL is checked when it is given (`check_url`). Its host is resolved and checked again for every request, and the
request goes to the very address that was checked, so a name that resolves differently the second time gains nothing.
Proxies of the environment are not used. A client that follows redirects sends each through the same checks.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import httpx

IPAddress = IPv4Address | IPv6Address
MAX_PORT = 65_535
MAX_ADDRESSES = 4
"""Addresses of one host that a request tries in turn."""

NON_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a public number, but the host of every virtual machine in Azure
    )
)  # fmt: skip
"""IANA's IPv4 special-purpose registry, multicast and reserved space."""
GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
NON_PUBLIC_V6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""IANA's IPv6 special-purpose registry within 2000::/3: Teredo, ORCHID, documentation, 6to4, AS112."""
NAT64 = IPv6Network("64:ff9b::/96")


class Refused(Exception):
    """The address may not be requested. The message says why, for the customer."""


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What may be requested. `allow_loopback` also allows the machine itself, by http or https: for development."""

    allow_loopback: bool = False

    def allows(self, address: IPAddress) -> bool:
        """Whether a request may go to this address."""
        return is_public(address) or (self.allow_loopback and embedded(address).is_loopback)


def embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address in a mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96) one. Any other address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the public internet."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    plain = embedded(address)
    if isinstance(plain, IPv4Address):
        return not any(plain in network for network in NON_PUBLIC_V4)
    return plain in GLOBAL_UNICAST_V6 and not any(plain in network for network in NON_PUBLIC_V6)


def check_url(url: str, policy: OutboundPolicy) -> None:
    """Check a URL that a customer gives. Asks no name server. Raises `Refused`."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise Refused("It is not a URL. Send an absolute one such as https://example.com/path.") from None
    _check_parts(url, parsed)
    literal = _literal(parsed.host)
    if literal is not None and not policy.allows(literal):
        raise Refused(f"Its address {literal} is not public. Send the URL of a public host.")
    named_local = parsed.host.rstrip(".") == "localhost" or parsed.host.rstrip(".").endswith(".localhost")
    if named_local and not policy.allow_loopback:
        raise Refused("'localhost' is this machine. Send the URL of a public host.")
    local = policy.allow_loopback and (named_local or (literal is not None and literal.is_loopback))
    if parsed.scheme != "https" and not (parsed.scheme == "http" and local):
        raise Refused("It does not start with https://. Only https addresses are requested.")


def _check_parts(url: str, parsed: httpx.URL) -> None:
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise Refused("It contains spaces, control characters or a backslash. Escape them.")
    if not parsed.host or parsed.scheme not in {"http", "https"}:
        raise Refused("It is not an absolute https URL. Send one such as https://example.com/path.")
    if parsed.userinfo or "@" in parsed.netloc.decode("latin-1"):
        raise Refused("It contains a user name or password. Leave them out.")
    if parsed.fragment:
        raise Refused("It has a fragment (#…), which is never sent. Leave it out.")
    if ("%" in parsed.host and ":" not in parsed.host) or not 0 < _port(parsed) <= MAX_PORT:
        raise Refused("Its host or its port is not valid.")


def _port(url: httpx.URL) -> int:
    return {"http": 80, "https": 443}[url.scheme] if url.port is None else url.port


def _literal(host: str) -> IPAddress | None:
    """The address that a host is written as, in any notation that the resolver reads: 127.1, 0x7f000001, [::1]."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Finds the addresses of a host. Raises `OSError` when there are none."""


async def system_resolver(host: str) -> Sequence[str]:
    """The addresses that the machine's resolver knows."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def resolve(host: str, policy: OutboundPolicy, resolver: Resolver = system_resolver) -> list[IPAddress]:
    """The addresses of a host, all of which are allowed. Raises `Refused` when one is not, or when there is none."""
    try:
        addresses = [ipaddress.ip_address(address) for address in dict.fromkeys(await resolver(host))]
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        raise Refused(f"The host {host} does not resolve.")
    for address in addresses:
        if not policy.allows(address):
            raise Refused(f"The host {host} resolves to {address}, which is not public.")
    return addresses


class GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks and pins the address of every request. Keeps no connection: the next request is checked anew.

    Raises `Refused`, and what httpx raises.
    """

    def __init__(
        self, policy: OutboundPolicy, verify: ssl.SSLContext | None = None, resolver: Resolver = system_resolver
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=verify or True, trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to an address that was checked."""
        check_url(str(request.url), self._policy)
        addresses = (await resolve(request.url.host, self._policy, self._resolver))[:MAX_ADDRESSES]
        if request.url.scheme == "http" and not all(embedded(address).is_loopback for address in addresses):
            raise Refused("Plain http is for this machine only.")
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_pinned(request, addresses[-1]))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _pinned(request: httpx.Request, address: IPAddress) -> httpx.Request:
    """The same request to a fixed address. Certificate and Host header are still those of the host's name."""
    extensions: dict[str, Any] = dict(request.extensions) | {"sni_hostname": request.url.raw_host.decode("ascii")}
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )


def guarded_client(transport: GuardedTransport, redirects: int = 0) -> httpx.AsyncClient:
    """A client for addresses that customers name. Reads no proxy from the environment, and keeps no cookies."""
    client = httpx.AsyncClient(
        transport=transport, follow_redirects=redirects > 0, max_redirects=redirects, trust_env=False
    )
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one client serves all customers
    return client
