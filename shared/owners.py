"""Questions to another service, which owns the answer."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import aiohttp
import orjson
from opentelemetry.trace import Span, SpanKind

from shared.settings import Settings
from shared.telemetry import correlation_id
from shared.tracing import span, traceparent


class OwnerAway(Exception):
    """The service that owns the answer can't be reached now; asking again may help."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is away")
        self.service = service


@contextmanager
def asking(service: str, method: str, headers: dict[str, str]) -> Iterator[Span]:
    """Around a request to a service: its headers get what carries the trace and the id on."""
    about = {"http.request.method": method, "peer.service": service}
    with span(f"{method} {service}", SpanKind.CLIENT, attributes=about) as asked:
        if parent := traceparent():
            headers["traceparent"] = parent
        if known := correlation_id():
            headers["x-request-id"] = known
        yield asked


class Owners:
    """One HTTP client for all the other services, with this service's own token."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until = 0.0
        self._login = asyncio.Lock()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool, opened at first use."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # By host: an owner that hangs must not take the connections to the others.
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=64, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=2.0, connect=0.5),
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
        """The JSON that `service` answers, or None where it says 404.

        `now` is the business time that the question is about. Without a caller's `token` the
        service's own is used. Raises OwnerAway.
        """
        return await self._ask("GET", service, path, now=now, params=params, token=token)

    async def ask(
        self, service: str, path: str, question: bytes, *, now: datetime, within: float
    ) -> Any:
        """As `get`, of a question too long for an address: a JSON document, sent by POST.

        What is asked so changes nothing. The answer may take `within` seconds.
        """
        return await self._ask("POST", service, path, now=now, body=question, within=within)

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
        within: float = 2.0,
    ) -> Any:
        headers = {"Authorization": f"Bearer {token or await self._own_token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if now is not None and self._settings.simulation:
            headers["Carrel-Time"] = now.isoformat()
        url = self._settings.url_of(service) + path
        limits = aiohttp.ClientTimeout(total=within, connect=0.5)
        try:
            with asking(service, method, headers) as asked:
                async with self.session.request(
                    method, url, params=params, data=body, headers=headers, timeout=limits
                ) as response:
                    answer = await response.read()
                asked.set_attribute("http.response.status_code", response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OwnerAway(service) from error
        if response.status == 404:
            return None
        if response.status == 401 and token is None:
            self._token = ""  # signed by a key that is gone: log in again next time
        if response.status >= 400:
            raise OwnerAway(service)
        return orjson.loads(answer)

    async def _own_token(self) -> str:
        async with self._login:
            if self._token and time.monotonic() < self._token_until:
                return self._token
            url = self._settings.url_of("accounts") + "/v1/service-sessions"
            request = {"service": self._service, "secret": self._settings.service_secret}
            try:
                async with self.session.post(url, json=request) as response:
                    if response.status != 200:
                        raise OwnerAway("accounts")
                    answer = await response.json()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise OwnerAway("accounts") from error
            self._token = str(answer["access_token"])
            self._token_until = time.monotonic() + float(answer["expires_in"]) - 60
            return self._token
