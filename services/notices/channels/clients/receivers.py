"""Requests to addresses on the public internet that others have named."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from shared.supervision import task_group

MOST_CHARACTERS = 500

_GLOBAL_IPV6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is routed for everyone; mapped and translated IPv4 lie outside."""
_TUNNELS = (IPv6Network("2001::/23"), IPv6Network("2002::/16"))
"""Addresses that contain another one (Teredo, 6to4), or that protocols use for themselves."""
SEND_SECONDS = 10.0
"""Time limit of one request with all its steps; less than the lease of a message."""
ROUND_SECONDS = 20.0
"""Time in which a round begins to send to further receivers."""
LOOK_SECONDS = 1.0
"""Pause between two looks for what waits, while some receivers are slow."""


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


class ReceiverAway(Exception):
    """The receiver can't be reached, or does not answer in time; trying again may help.

    The request may have arrived.
    """


class NotAllowed(Exception):
    """The receiver's host has no public address, or is no proper one."""


class _Inside(OSError):
    """An address of the library's own network."""


async def post(url: str, content: bytes, headers: Mapping[str, str], *, loopback: bool) -> int:
    """Send a request and return the status of its answer. Raises ReceiverAway or NotAllowed.

    Redirects are not followed, and the body of the answer is not read. No error repeats the URL, so
    that it reaches no log. `loopback` allows receivers on this machine.
    """

    def opened(found: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, *_) = found
        if not may_connect(str(host), loopback=loopback):
            raise _Inside
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(socket_factory=opened, use_dns_cache=False, force_close=True)
    try:
        async with (
            asyncio.timeout(SEND_SECONDS),
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.post(url, data=content, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status
    except aiohttp.InvalidURL:  # an address that is written in an unusual way, for example
        raise NotAllowed from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _Inside):
            raise NotAllowed from None
        raise ReceiverAway from None
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        raise ReceiverAway from None


async def side_by_side(
    find_due: Callable[[], Awaitable[Collection[str]]],
    send: Callable[[str], Awaitable[bool | None]],
) -> int:
    """Send to each receiver with waiting messages in a task of its own; return the number of tries.

    So a slow receiver holds no other. `send` makes one try and returns whether it went well, or
    None if nothing is due. A receiver that failed is left alone until the next round.
    """
    ends = time.monotonic() + ROUND_SECONDS
    resting: set[str] = set()
    running: dict[str, asyncio.Task[int]] = {}
    done = 0

    async def send_all(receiver: str) -> int:
        tries = 0
        while time.monotonic() < ends:
            went_well = await send(receiver)
            if went_well is None:
                break
            tries += 1
            if not went_well:
                resting.add(receiver)
                break
        return tries

    async with task_group() as group:
        while True:
            if time.monotonic() < ends:
                for receiver in await find_due():
                    if receiver not in resting and receiver not in running:
                        running[receiver] = group.create_task(send_all(receiver))
            if not running:
                return done
            await asyncio.wait(
                running.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            for receiver in [name for name, task in running.items() if task.done()]:
                done += running.pop(receiver).result()
