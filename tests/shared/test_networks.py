"""The networks of addresses, for limits and for records."""

import pytest

from shared.http.client_address import caller_at, truncated


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unix", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_caller_is_an_ipv4_address_or_a_part_of_ipv6_that_a_household_has(
    address: str, network: str
) -> None:
    assert caller_at(address) == network
    assert caller_at(network) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_an_address_is_recorded_without_its_last_part(address: str, network: str) -> None:
    assert truncated(address) == network
