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
from starlette.types import Scope
from yarl import URL

from services.gateway.edge.liveness import UNANSWERED, Liveness
from services.gateway.views.own_writes import FOLLOWS, OwnWrites
from services.gateway.web.enquiries.uploads import has_files
from services.registry import OWNERS, SERVICES
from services.uploads import is_upload
from shared.auth import Verifier, token_of
from shared.deadlines import allowed
from shared.http.client_address import CROWDED_HEADER, CROWDED_SCOPE, HEADER, client_header
from shared.http.dependencies import KEYED
from shared.http.operations import AUDIT_TRAIL, JOBS, STATUS
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
PAUSES = (0.05, 0.15, 0.3)
"""Seconds before all addresses of an owner are tried again; the deadline may end this before."""
BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
"""Exceptions of a connection that ended before the answer had come."""
_BUSY = frozenset({502, 503, 504})
"""Statuses of an owner, or of a balancer before it, after which another replica may succeed."""

_OWNER_BY_PREFIX = {
    **{prefix: service.name for service in SERVICES for prefix in service.prefixes},
    **{f"{JOBS}{owner}": owner for owner in OWNERS},
    **{f"{AUDIT_TRAIL}{owner}": owner for owner in OWNERS},
    **{f"{STATUS}{owner}": owner for owner in OWNERS},
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
    """Probe each address of each owner about every second, until cancelled."""
    settings: Settings = app.state.settings
    while True:
        await asyncio.gather(
            *(_probe(app, owner, one) for owner in OWNERS for one in settings.urls_of(owner))
        )
        await asyncio.sleep(PROBE_SECONDS)


async def _probe(app: FastAPI, service: str, address: str) -> None:
    owners: Owners = app.state.owners
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            owners.session.get(f"{address}/health/live") as response,
        ):
            app.state.liveness.probed(service, address, response.status == 200)
    except UNANSWERED:
        app.state.liveness.probed(service, address, False)


def owner_of(raw_path: str) -> str | None:
    """Return the service that owns a path, as it came over the wire; None if there is none.

    A path that another server might read differently (`..`, `//`, an escaped slash) is refused: it
    could reach a route that is not forwarded.
    """
    segments = [unquote(segment) for segment in raw_path.split("/")[1:]]
    for segment in segments:
        if segment in ("", ".", "..") or re.search(r"[\x00-\x1f\x7f/\\]", segment):
            return None
    for depth in range(len(segments), 0, -1):
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
    seconds = LONG_SECONDS if takes_long(request.scope) else allowed(DEADLINE_SECONDS)
    started = time.monotonic()
    try:
        until = asyncio.get_running_loop().time() + seconds
        status, headers, content = await _first_answer(request, owner, body, until)
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
        if not await own_writes.write(changes, now, within=min(left, allowed(FOLD_SECONDS))):
            answer.headers.update(FOLLOWS)
    return answer


async def _first_answer(
    request: Request, owner: str, body: bytes, until: float
) -> tuple[int, Mapping[str, str], bytes]:
    """Return the response of the first address that answers; try them again after each pause.

    A request that was refused at connecting was not read. After a broken connection only a request
    that is safe to repeat is sent again, and a keyed command once after a 503. Ends at `until` by
    the loop's time. Raises OwnerAway or what the last call raised.
    """
    liveness: Liveness = request.app.state.liveness
    headers = _sent_headers(request, request.app.state.settings)
    is_keyed = "idempotency-key" in headers and request.method in KEYED
    failure: Exception = OwnerAway(owner)
    busy: tuple[int, Mapping[str, str], bytes] | None = None
    # An owner that the probe knows to be away does not come back in the time of the pauses.
    pauses = iter(() if liveness.away(owner) else PAUSES)
    while True:
        tried = False
        for address in liveness.addresses_of(owner):
            try:
                with liveness.calling(owner, address, request.method):
                    tried = True
                    async with asyncio.timeout_at(until):
                        answer = await _ask(request, owner, address, headers, body)
            except (OwnerAway, aiohttp.ClientConnectorError) as error:
                failure = error
            except BROKEN as error:
                if not (is_keyed or request.method == "GET"):
                    raise
                failure = error
            else:
                if not is_keyed or answer[0] not in _BUSY or busy:
                    return answer
                busy = answer
        # Nothing was tried if every circuit is open, and waiting would change nothing.
        pause = next(pauses, None) if tried else None
        if pause is None or asyncio.get_running_loop().time() + pause >= until:
            if busy:
                return busy
            raise failure
        await asyncio.sleep(pause)


async def _ask(
    request: Request, owner: str, address: str, headers: dict[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    owners: Owners = request.app.state.owners
    path = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("latin-1")
    url = URL(address + path + (f"?{query}" if query else ""), encoded=True)
    with asking(owner, request.method, headers) as asked:
        async with owners.session.request(
            request.method,
            url,
            data=body or None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("content-type", "user-agent"),
            # The caller sets the deadline; the session's own would cut off a long job.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=allowed(DEADLINE_SECONDS)),
        ) as response:
            asked.set_attribute("http.response.status_code", response.status)
            return response.status, response.headers, await response.read()


def _sent_headers(request: Request, settings: Settings) -> dict[str, str]:
    names = (*_FORWARDED_HEADERS, *(("carrel-time",) if settings.simulation else ()))
    headers = {name: request.headers[name] for name in names if name in request.headers}
    if "authorization" in headers and _session_has_ended(request):
        del headers["authorization"]  # the owner would accept the token until it expires
    if request.method != "GET":
        headers["carrel-changes"] = "1"
    if request.scope.get(CROWDED_SCOPE):
        headers[CROWDED_HEADER] = "1"
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


async def owners_health(app: FastAPI) -> tuple[bool, str]:
    """Return that the process is ready, and the calls that it does not try now."""
    liveness: Liveness = app.state.liveness
    waits = liveness.open_circuits()
    return True, f"not called now: {'; '.join(waits)}" if waits else "ok"


PRINTING = ("/v1/letter-runs", "/desk/letters")
"""Paths below which commands make or print all letters of a library."""
_AT_PROVIDER = ("/v1/sessions/provider", "/log-in/provider")
"""Beginnings of paths at which the library's identity provider is asked."""
_LONG_PREVIEWS = tuple(prefix for service in SERVICES for prefix in service.long_previews)


def takes_long(scope: Scope) -> bool:
    """Return whether a request is a job, has files, prints, previews much, or asks a provider."""
    path: str = scope["path"]
    if path.startswith(PRINTING):
        return bool(scope["method"] == "POST")
    if path.startswith(_LONG_PREVIEWS):
        return b"preview=" in scope["query_string"]
    return path.startswith((*_AT_PROVIDER, JOBS)) or is_upload(scope) or has_files(scope)
