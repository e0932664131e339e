"""The network of a client: as the gateway passes it on, as one caller for limits, and on record.

The header has a digest under the secret that the services share: a caller who reaches a service
without the gateway can't invent addresses. An IPv4 address that is mapped to IPv6
(`::ffff:203.0.113.7`) counts as the IPv4 address. A /48 of IPv6 counts as one caller, because a
household or a company can have as much.
"""

import hmac
import ipaddress
from functools import lru_cache

from starlette.types import Scope

HEADER = "carrel-client"
CROWDED_HEADER = "carrel-crowded"
"""Mark of a log-in from an address that has sent more of them than it may.

The gateway lets those pass that have the token of a device. The service that checks PINs, and that
alone can tell whether the token is one of ours, refuses all others before it checks anything. A
caller who sets the mark restricts nobody else.
"""
CROWDED_SCOPE = "carrel.crowded"
"""Entry in the scope of such a request at the gateway."""
CALLER_BITS = {4: 32, 6: 48}
"""Leading bits of an address that tell one caller from another, by its version."""
RECORDED_BITS = {4: 24, 6: 48}
"""Leading bits that are kept on record: those that tell apart the machines of a network are not."""
UNKNOWN = "unknown"
KNOWN_ADDRESSES = 1000
"""Number of addresses whose networks are remembered: each request asks for that of its client."""


def client_header(address: str, secret: str, *, whole: bool) -> str:
    """Return the header that passes the address of a client on.

    Only a service that counts log-ins gets the `whole` address, the others its network.
    """
    said = address if whole else truncated(address)
    return f"{said} {_digest(said, secret)}"


def client_address(scope: Scope) -> str:
    """Return the address or network that the gateway passed on, else the connection's address."""
    sent: bytes = next((value for name, value in scope["headers"] if name == HEADER.encode()), b"")
    address, _, digest = sent.decode("latin-1").rpartition(" ")
    secret: str = scope["app"].state.settings.service_secret
    ours = _digest(address, secret)
    if secret and address and hmac.compare_digest(ours.encode(), digest.encode()):
        return address
    client = scope.get("client")
    return client[0] if client else ""


@lru_cache(KNOWN_ADDRESSES)
def _digest(address: str, secret: str) -> str:
    # Begins with a purpose, so that a digest made here is never valid elsewhere.
    return hmac.digest(secret.encode(), f"client\n{address}".encode(), "sha256").hex()


def is_crowded(scope: Scope) -> bool:
    """Return whether only a known device may log in with this request."""
    return any(name == CROWDED_HEADER.encode() for name, _ in scope["headers"])


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
