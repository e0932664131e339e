"""Receivers on the internet: sending one request, to public addresses only.

A host name is resolved once for each request. The address is checked where the connection to it is
made, so that no second answer of a name server can lead into the library's own network.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import aiohttp

from services.notices.domain.address import may_connect

SEND_SECONDS = 10.0
"""Time limit of one request with all its steps; less than the lease of a message."""
ROUND_SECONDS = 20.0
"""Time in which a round begins to send to further receivers."""
LOOK_SECONDS = 1.0
"""Pause between two looks for what waits, while some receivers are slow."""


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

    async with asyncio.TaskGroup() as group:
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
