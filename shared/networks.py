"""The network of a client's address: as one caller for limits, and without its last part on record.

An IPv4 address that is mapped to IPv6 (`::ffff:203.0.113.7`) counts as the IPv4 address. A /48 of
IPv6 counts as one caller, because a household or a company can have as much.
"""

import ipaddress
from functools import lru_cache

CALLER_BITS = {4: 32, 6: 48}
"""Leading bits of an address that tell one caller from another, by its version."""
RECORDED_BITS = {4: 24, 6: 48}
"""Leading bits that are kept on record: those that tell apart the machines of a network are not."""
UNKNOWN = "unknown"
KNOWN_ADDRESSES = 1000
"""Number of addresses whose networks are remembered: each request asks for that of its client."""


@lru_cache(KNOWN_ADDRESSES)
def caller_at(address: str) -> str:
    """Return the network that counts as one caller, such as `203.0.113.7` or `2001:db8:1::/48`."""
    found = _network(address, CALLER_BITS)
    return str(found).removesuffix("/32") if found else UNKNOWN


@lru_cache(KNOWN_ADDRESSES)
def truncated(address: str) -> str:
    """Return the network to record, such as `203.0.113.0/24`; empty if it is not an address."""
    return str(_network(address, RECORDED_BITS) or "")


def _network(
    address: str, bits: dict[int, int]
) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        parsed = ipaddress.ip_address(address.partition("/")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return ipaddress.IPv4Network((int(parsed), bits[4]), strict=False)
    if parsed.ipv4_mapped:
        return ipaddress.IPv4Network((int(parsed.ipv4_mapped), bits[4]), strict=False)
    return ipaddress.IPv6Network((int(parsed), bits[6]), strict=False)
