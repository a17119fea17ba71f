"""Which addresses may be requested, however they are written."""

from ipaddress import ip_address

import pytest

from serve_app.storage.outbound import OutboundPolicy, Refused, check_url, is_public

STRICT, LOCAL = OutboundPolicy(), OutboundPolicy(allow_loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1",
        "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
    ],
)  # fmt: skip
def test_no_special_address_is_public(address: str) -> None:
    """Private, loopback, link-local, shared, reserved, mapped, NAT64, 6to4, Teredo and multicast are refused."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.1",
     "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    """Public addresses pass, also as mapped and as NAT64 ones, and those beside a special range."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "//example.com/", "example.com", "", "https://", "https:///path",
        "https://user@example.com/", "https://user:secret@example.com/", "https://:@example.com/",
        "https://example.com/#part", "https://example.com:0/", "https://example.com:99999/", "https://ex ample.com/",
        "https://example.com/a b", "https://example.com\\@127.0.0.1/", "https://example.com/\nHost: x",
        "https://localhost/", "https://LOCALHOST./", "https://app.localhost/", "https://127.0.0.1/", "https://127.1/",
        "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://0/",
        "https://①②⑦.⓪.⓪.①/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://%31%32%37.0.0.1/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/",
    ],
)  # fmt: skip
def test_a_url_that_is_not_public_https_is_refused(url: str) -> None:
    """Other schemes, credentials, fragments, and local addresses in any notation are refused with a reason."""
    with pytest.raises(Refused, match=r"\."):
        check_url(url, STRICT)


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://example.com:8443/a?b=c", "https://bücher.example/", "https://1.1.1.1/",
     "https://[2606:4700::1111]:444/"],
)  # fmt: skip
def test_a_public_https_url_is_accepted(url: str) -> None:
    """Names, ports, queries, international names and public addresses are accepted."""
    check_url(url, STRICT)


def test_loopback_needs_the_setting_and_nothing_else_is_opened() -> None:
    """With the setting, http and https reach this machine; http elsewhere and private networks stay closed."""
    for url in ("http://localhost:9000/", "http://127.0.0.1/", "http://[::1]:8/", "https://localhost/"):
        check_url(url, LOCAL)
    for url in ("http://example.com/", "https://10.0.0.1/", "http://192.168.0.1/", "https://169.254.169.254/"):
        with pytest.raises(Refused):
            check_url(url, LOCAL)
