"""Queries to another service, which owns the answer."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from opentelemetry.trace import Span, SpanKind
from yarl import URL

from shared.assertions import assertion
from shared.clock import wall_clock
from shared.deadlines import allowed
from shared.settings import Settings
from shared.telemetry import correlation_id
from shared.tracing import span, trace_headers

T = TypeVar("T")

ANSWER_SECONDS = 2.0
CONNECT_SECONDS = 0.5
AGAIN_SECONDS = 5.0
"""Seconds until the next try to renew a token that is still valid."""
IDLE_SECONDS = 30
"""Seconds for which an idle connection is kept: shorter than its server does (ops/server.py)."""


class OwnerAway(Exception):
    """The service that owns the answer can't be reached now; asking again may help."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is away")
        self.service = service


class OwnerBehind(OwnerAway):
    """The owner's answer is older than its own event; it follows soon, or the event is not true."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.code = f"{service}-is-behind"


class OwnerRefused(Exception):
    """The service that owns the answer refuses the query; asking again can't help."""

    def __init__(self, service: str, status: int) -> None:
        super().__init__(f"{service} does not accept a value of this request.")
        self.service = service
        self.code = f"{service}-answers-{status}"


class BadId(ValueError):
    """An id that can't be part of a path."""


_NOT_THE_QUESTION = {401, 403, 408, 425, 429}
"""4xx statuses that are not about the query itself: a token, a right, a limit or a time."""


def path_to(*parts: str) -> str:
    """Return the path of a resource: each part becomes one segment, with any characters escaped.

    Raises BadId for a part that can't be a segment.
    """
    if any(part in ("", ".", "..") for part in parts):
        raise BadId("an id that no path can hold")
    return "".join(f"/{quote(part, safe='')}" for part in parts)


async def first_answer(addresses: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> T:
    """Return what `ask` returns for the first of these addresses that can be reached.

    The others are asked only if a connection fails, so `ask` has to be repeatable. Raises what the
    last of them raised.
    """
    *others, last = addresses
    for address in others:
        with suppress(aiohttp.ClientConnectionError):
            return await ask(address)
    return await ask(last)


@contextmanager
def asking(service: str, method: str, headers: dict[str, str]) -> Iterator[Span]:
    """Wrap a request to a service in a span; add the trace and correlation id to its headers."""
    about = {"http.request.method": method, "peer.service": service}
    with span(f"{method} {service}", SpanKind.CLIENT, attributes=about) as asked:
        headers.update(trace_headers())
        if known := correlation_id():
            headers["x-request-id"] = known
        yield asked


class Owners:
    """One HTTP client for all other services, with this service's own token."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until = self._renew_at = 0.0
        self._login = asyncio.Lock()
        self._turns = itertools.count()
        self.addresses_of: Callable[[str], Sequence[str]] = self._in_turn
        """Addresses of a service, in the order in which to try them; the gateway knows more."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool, opened at first use."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # Limited by host: an owner that hangs must not take the connections to the others.
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=64,
                    keepalive_timeout=IDLE_SECONDS,
                    ssl=self._settings.tls_client(),
                ),
                timeout=aiohttp.ClientTimeout(
                    total=allowed(ANSWER_SECONDS), connect=allowed(CONNECT_SECONDS)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        service: str,
        path: str,
        *,
        now: datetime | None = None,
        params: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        """Return the JSON answer of `service`, or None if it answers 404.

        `now` is the business time of the query. Without a caller's `token` the service's own is
        used. Put ids into the path with `path_to`. Raises OwnerAway, and OwnerRefused if the query
        is at fault.
        """
        return await self._ask("GET", service, path, now=now, params=params, token=token)

    async def ask(
        self, service: str, path: str, question: bytes, *, now: datetime, within: float
    ) -> Any:
        """Do the same as `get` with a query too long for a URL: a JSON document sent by POST.

        The query changes nothing. The answer may take `within` seconds.
        """
        return await self._ask("POST", service, path, now=now, body=question, within=within)

    async def command(self, service: str, path: str, *, now: datetime, within: float) -> Any:
        """Send a command without a body by POST; return the answer as `get` does.

        The command may arrive although OwnerAway is raised, and may arrive twice if it is sent
        again: it has to be one that can be repeated.
        """
        return await self._ask("POST", service, path, now=now, within=within)

    async def _ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        now: datetime | None = None,
        params: Mapping[str, str] | None = None,
        token: str | None = None,
        body: bytes | None = None,
        within: float | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {token or await self._own_token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if now is not None and self._settings.simulation:
            headers["Carrel-Time"] = now.isoformat()
        limits = aiohttp.ClientTimeout(
            total=within or allowed(ANSWER_SECONDS), connect=allowed(CONNECT_SECONDS)
        )

        async def ask(address: str) -> tuple[int, bytes]:
            url = URL(address + path, encoded=True)
            async with self.session.request(
                method, url, params=params, data=body, headers=headers, timeout=limits
            ) as response:
                return response.status, await response.read()

        try:
            with asking(service, method, headers) as asked:
                status, answer = await first_answer(self.addresses_of(service), ask)
                asked.set_attribute("http.response.status_code", status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OwnerAway(service) from error
        if status == 404:
            return None
        if status == 401 and token is None:
            self._token_until = self._renew_at = 0.0  # signed by a key that is gone: log in again
        if 400 <= status < 500 and status not in _NOT_THE_QUESTION:
            raise OwnerRefused(service, status)
        if status >= 400:
            raise OwnerAway(service)
        return orjson.loads(answer)

    def _in_turn(self, service: str) -> Sequence[str]:
        found = self._settings.urls_of(service)
        first = next(self._turns) % len(found)
        return (*found[first:], *found[:first])

    async def _own_token(self) -> str:
        """Return this service's token; renew it in the second half of its life.

        So the issuer may be away for that long. Raises OwnerAway without a valid token.
        """
        if time.monotonic() < self._renew_at:
            return self._token
        async with self._login:
            now = time.monotonic()
            if now < self._renew_at:
                return self._token
            if is_valid := now < self._token_until:
                self._renew_at = now + AGAIN_SECONDS  # the other calls use the old one meanwhile
            try:
                self._token, seconds = await self._log_in()
            except OwnerAway:
                if not is_valid:
                    raise
            else:
                self._renew_at, self._token_until = now + seconds / 2, now + seconds
            return self._token

    async def _log_in(self) -> tuple[str, float]:
        """Return a new token and its lifetime in seconds. Raises OwnerAway."""
        issuer = self._settings.issuer
        key = self._settings.service_key
        if not key:
            raise OwnerAway(issuer.service)

        async def ask(address: str) -> Any:
            # Each is accepted once, and the answer to the former may have been lost.
            said = assertion(self._service, key, issuer.service, wall_clock())
            url = address + issuer.sessions
            async with self.session.post(url, json={"assertion": said}) as response:
                if response.status != 200:
                    raise OwnerAway(issuer.service)
                return await response.json()

        try:
            answer = await first_answer(self.addresses_of(issuer.service), ask)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OwnerAway(issuer.service) from error
        return str(answer["access_token"]), float(answer["expires_in"])
