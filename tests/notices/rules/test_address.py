"""Addresses that the library may send to."""

import pytest

from services.notices.channels.clients.receivers import may_connect, may_send_to

PUBLIC = ["8.8.8.8", "203.80.0.1", "2606:4700::1111", "2a00:1450:4001::8a"]
INSIDE = [
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0"),  # noqa: S104
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *("::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
    # IPv4 inside IPv6: mapped, compatible, translated (NAT64), 6to4, Teredo
    *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
    "2001:0:a00:1::",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert may_connect(address, loopback=False)


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("loopback", [False, True])
def test_other_addresses_may_not(address: str, *, loopback: bool) -> None:
    assert not may_connect(address, loopback=loopback)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_allowed_in_a_simulation_only(address: str) -> None:
    assert not may_connect(address, loopback=False)
    assert may_connect(address, loopback=True)


@pytest.mark.parametrize(
    ("url", "allowed", "in_simulation"),
    [
        ("https://app.example.org/hook?key=1", True, True),
        ("https://app.example.org:8443", True, True),
        ("http://app.example.org", False, False),
        ("http://127.0.0.1:8000/hook", False, True),
        ("http://[::1]:8000/hook", False, True),
        ("http://localhost/hook", False, True),
        ("https://127.0.0.1/hook", False, True),
        ("https://10.0.0.1/hook", False, False),
        ("http://127.0.0.1.example.org", False, False),
        ("https://user:pin@app.example.org", False, False),
        ("https://app.example.org/#part", False, False),
        ("https://app.example.org:0", False, False),
        ("https://app.example.org:port", False, False),
        ("https:///hook", False, False),
        ("javascript:alert(1)", False, False),
        ("https://app.example.org/" + "a" * 500, False, False),
    ],
)
def test_a_url_is_https_to_a_public_host(url: str, *, allowed: bool, in_simulation: bool) -> None:
    assert may_send_to(url, loopback=False) == allowed
    assert may_send_to(url, loopback=True) == in_simulation
