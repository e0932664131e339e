"""Addresses that the library may send to: public ones, so that no URL reaches its own network."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

MOST_CHARACTERS = 500

_GLOBAL_IPV6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is routed for everyone; mapped and translated IPv4 lie outside."""
_TUNNELS = (IPv6Network("2001::/23"), IPv6Network("2002::/16"))
"""Addresses that contain another one (Teredo, 6to4), or that protocols use for themselves."""


def may_connect(address: str, *, loopback: bool) -> bool:
    """Return whether the library may connect to an IP address; `loopback` allows this machine."""
    found = ip_address(address.partition("%")[0])
    if found.is_loopback:
        return loopback
    return _is_public(found)


def may_send_to(url: str, *, loopback: bool) -> bool:
    """Return whether a URL may be given as an address to send to.

    It has https; with `loopback` also http to this machine. The addresses of a host name are
    checked at each connection.
    """
    if len(url) > MOST_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in url or "\\" in url or port == 0:
        return False
    address = _literal(host)
    if address is not None and not may_connect(host, loopback=loopback):
        return False
    here = host == "localhost" or (address is not None and address.is_loopback)
    return parts.scheme == "https" or (parts.scheme == "http" and here and loopback)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address not in _GLOBAL_IPV6 or any(address in tunnel for tunnel in _TUNNELS)
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
