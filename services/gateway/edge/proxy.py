"""Calls to the services that own the data: forwarding and the probe.

A forwarded call ends within its deadline, with the owner's response or with a 503 that names the
owner. The changes of a command are applied to the views before the client is answered, through the
same functions as Kafka's events, so a client reads its own writes on any replica.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import aiohttp
import orjson
import structlog
from fastapi import FastAPI, Request, Response
from yarl import URL

from services.gateway.edge.deadlines import takes_long
from services.gateway.edge.liveness import UNANSWERED, Liveness
from services.gateway.views.own_writes import FOLLOWS, OwnWrites
from services.registry import OWNERS, SERVICES
from shared.auth import Verifier, token_of
from shared.http.client_address import HEADER, client_header
from shared.http.operations import AUDIT_TRAIL, JOBS
from shared.http.problems import unavailable
from shared.owners import OwnerAway, Owners, asking
from shared.settings import Settings

log = structlog.get_logger()

# A client has a response within two seconds; the remaining time is a reserve for a busy machine.
DEADLINE_SECONDS = 1.5
ANSWER_SECONDS = 1.6
LONG_SECONDS = 30.0
"""Deadline of requests for which `takes_long` is true."""
FOLD_SECONDS = 0.8
PROBE_SECONDS = 1.0

_OWNER_BY_PREFIX = {
    **{prefix: service.name for service in SERVICES for prefix in service.prefixes},
    **{f"{JOBS}{owner}": owner for owner in OWNERS},
    **{f"{AUDIT_TRAIL}{owner}": owner for owner in OWNERS},
}
"""The owner of each forwarded prefix; the longest that matches a path decides."""

_FORWARDED_HEADERS = (
    "authorization",
    "idempotency-key",
    "content-type",
    "accept",
    "accept-language",
    "if-none-match",
    "if-modified-since",
)
_ANSWERED_HEADERS = (
    "content-type",
    "content-language",
    "content-disposition",
    "etag",
    "last-modified",
    "cache-control",
    "vary",
    "retry-after",
    "www-authenticate",
)


class MalformedResponse(Exception):
    """An owner's response that no client can use."""


async def watch_owners(app: FastAPI) -> None:
    """Probe each owner about every second, until cancelled."""
    while True:
        await asyncio.gather(*(_probe(app, service) for service in OWNERS))
        await asyncio.sleep(PROBE_SECONDS)


async def _probe(app: FastAPI, service: str) -> None:
    owners: Owners = app.state.owners
    settings: Settings = app.state.settings
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            owners.session.get(f"{settings.url_of(service)}/health/live") as response,
        ):
            app.state.liveness.probed(service, response.status == 200)
    except UNANSWERED:
        app.state.liveness.probed(service, False)


def owner_of(raw_path: str) -> str | None:
    """Return the service that owns a path, as it came over the wire; None if there is none.

    A path that another server might read differently (`..`, `//`, an escaped slash) is refused: it
    could reach a route that is not forwarded.
    """
    segments = [unquote(segment) for segment in raw_path.split("/")[1:]]
    for segment in segments:
        if segment in ("", ".", "..") or re.search(r"[\x00-\x1f\x7f/\\]", segment):
            return None
    for depth in range(len(segments), 1, -1):
        for named in (segments[:depth], [*segments[:2], "*", *segments[3:depth]]):
            owner = _OWNER_BY_PREFIX.get("/" + "/".join(named))
            if owner:
                return owner
    return None


async def forward(request: Request, owner: str, now: datetime) -> Response:
    """Forward a request; return the owner's response, or a 503 that names the owner.

    No failure of the owner is raised.
    """
    body = await request.body()
    seconds = LONG_SECONDS if takes_long(request.scope) else DEADLINE_SECONDS
    started = time.monotonic()
    liveness: Liveness = request.app.state.liveness
    try:
        with liveness.calling(owner, request.method):
            async with asyncio.timeout(seconds):
                status, headers, content = await _ask(request, owner, body)
        answer, changes = _unwrapped(status, headers, content)
    except OwnerAway:
        return unavailable(owner)
    except UNANSWERED as error:
        log.warning("owner away", owner=owner, error=type(error).__name__)
        return unavailable(owner)
    except MalformedResponse as error:
        log.warning("malformed response of an owner", owner=owner, error=str(error))
        return unavailable(owner)
    if changes:
        left = max(seconds - (time.monotonic() - started), 0.1)
        own_writes: OwnWrites = request.app.state.own_writes
        if not await own_writes.write(changes, now, within=min(left, FOLD_SECONDS)):
            answer.headers.update(FOLLOWS)
    return answer


async def _ask(request: Request, owner: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    owners: Owners = request.app.state.owners
    settings: Settings = request.app.state.settings
    path = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("latin-1")
    url = URL(settings.url_of(owner) + path + (f"?{query}" if query else ""), encoded=True)
    headers = _sent_headers(request, settings)
    tries = 2 if request.method == "GET" else 1
    with asking(owner, request.method, headers) as asked:
        while True:
            tries -= 1
            try:
                async with owners.session.request(
                    request.method,
                    url,
                    data=body or None,
                    headers=headers,
                    allow_redirects=False,
                    skip_auto_headers=("content-type", "user-agent"),
                    # The caller sets the deadline; the session's own would cut off a long job.
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE_SECONDS),
                ) as response:
                    asked.set_attribute("http.response.status_code", response.status)
                    return response.status, response.headers, await response.read()
            except aiohttp.ClientConnectionError:
                if not tries:
                    raise


def _sent_headers(request: Request, settings: Settings) -> dict[str, str]:
    names = (*_FORWARDED_HEADERS, *(("carrel-time",) if settings.simulation else ()))
    headers = {name: request.headers[name] for name in names if name in request.headers}
    if "authorization" in headers and _session_has_ended(request):
        del headers["authorization"]  # the owner would accept the token until it expires
    if request.method != "GET":
        headers["carrel-changes"] = "1"
    if request.client:
        asks_for_pin = settings.issuer.asks_for_pin(request.scope["path"])
        host, secret = request.client.host, settings.service_secret
        headers[HEADER] = client_header(host, secret, whole=asks_for_pin)
    return headers


def _session_has_ended(request: Request) -> bool:
    verifier: Verifier = request.app.state.verifier
    return verifier.is_of_ended_session(token_of(request))


def _unwrapped(
    status: int, headers: Mapping[str, str], content: bytes
) -> tuple[Response, Sequence[Any]]:
    """Return the response for the client, and the changes that came with it.

    Raises MalformedResponse.
    """
    is_problem = headers.get("content-type", "").startswith("application/problem+json")
    if status >= 500 and not (status == 503 and is_problem):
        raise MalformedResponse(f"status {status}")
    if 300 <= status < 400 and status != 304:
        # It would send the client to an address that only the services use.
        raise MalformedResponse(f"status {status}")
    changes: Sequence[Any] = ()
    if "carrel-changes" in headers:
        try:
            wrapped = orjson.loads(content)
            status, changes = int(wrapped["status"]), wrapped["changes"]
            answered = wrapped["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedResponse("changes that can't be read") from error
        content = b"" if status == 204 else orjson.dumps(answered)
    kept = {name: headers[name] for name in _ANSWERED_HEADERS if name in headers}
    if status in (204, 304):
        kept.pop("content-type", None)
    kept.setdefault("cache-control", "private, no-store")
    return Response(content, status, kept), changes
