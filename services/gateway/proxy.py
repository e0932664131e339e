"""Calls to the services that own the data: forwarding, the probe, the merged OpenAPI document.

A forwarded call ends within its deadline, with the owner's answer or with a 503 that names the
owner. The changes of a command are applied to the views before the client is answered, through the
same functions as Kafka's events, so a client reads its own writes on any replica.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import aiohttp
import orjson
import structlog
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, TypeAdapter
from yarl import URL

from services.gateway.deadlines import takes_long
from services.gateway.links import add_links
from services.gateway.liveness import UNANSWERED, Liveness
from services.gateway.own_writes import FOLLOWS, OwnWrites
from services.registry import OWNERS, SERVICES
from shared.http.operations import JOBS
from shared.http.problems import unavailable
from shared.owners import OwnerAway, OwnerRefused, Owners, asking
from shared.settings import Settings

log = structlog.get_logger()

# A client has an answer within two seconds; the remaining time is a reserve for a busy machine.
DEADLINE_SECONDS = 1.5
ANSWER_SECONDS = 1.6
LONG_SECONDS = 30.0
"""Deadline of requests for which `takes_long` is true."""
ACCRUING_SECONDS = 1.0
FOLD_SECONDS = 0.8
PROBE_SECONDS = 1.0
DOCUMENT_SECONDS = 5.0

_OWNER_BY_PREFIX = {
    **{prefix: service.name for service in SERVICES for prefix in service.prefixes},
    **{f"{JOBS}{owner}": owner for owner in OWNERS},
}
"""The owner of each forwarded prefix; the longest that matches a path decides."""

_FORWARDED_HEADERS = (
    "authorization",
    "idempotency-key",
    "content-type",
    "accept",
    "accept-language",
    "if-none-match",
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


class Garbage(Exception):
    """An owner's answer that no client can use."""


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


# ---- forwarding ---------------------------------------------------------------------------------


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
    """Forward a request; return the owner's answer, or a 503 that names the owner.

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
    except Garbage as error:
        log.warning("owner answers garbage", owner=owner, error=str(error))
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
    if request.method != "GET":
        headers["carrel-changes"] = "1"
    return headers


def _unwrapped(
    status: int, headers: Mapping[str, str], content: bytes
) -> tuple[Response, Sequence[Any]]:
    """Return the answer for the client, and the changes that came with it. Raises Garbage."""
    is_problem = headers.get("content-type", "").startswith("application/problem+json")
    if status >= 500 and not (status == 503 and is_problem):
        raise Garbage(f"status {status}")
    if 300 <= status < 400 and status != 304:
        # It would send the client to an address that only the services use.
        raise Garbage(f"status {status}")
    changes: Sequence[Any] = ()
    if "carrel-changes" in headers:
        try:
            wrapped = orjson.loads(content)
            status, changes = int(wrapped["status"]), wrapped["changes"]
            answered = wrapped["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise Garbage("changes that can't be read") from error
        content = b"" if status == 204 else orjson.dumps(answered)
    kept = {name: headers[name] for name in _ANSWERED_HEADERS if name in headers}
    if status in (204, 304):
        kept.pop("content-type", None)
    kept.setdefault("cache-control", "private, no-cache")
    return Response(content, status, kept), changes


# ---- accruing fines -----------------------------------------------------------------------------


class _Accruing(BaseModel):
    loan_id: str
    overdue: bool
    amount_cents: int
    per_day_cents: int | None = None
    as_of: str
    suspended: bool
    resumes_on: str | None
    # Versions that the item was computed from; an older release of circulation sends none.
    loan_version: int | None = None
    calendar_version: int | None = None


class _AccruingAnswer(BaseModel):
    items: list[_Accruing]
    suspensions_version: int | None = None


_accruing_answer = TypeAdapter(_AccruingAnswer)


async def accruing(app: FastAPI, token: str, now: datetime) -> dict[str, Any] | None:
    """Return circulation's answer on the patron's loans past their due date, None if unusable.

    `items` has one entry for each loan; `suspensions_version` is the version of the fine
    suspensions that they were computed from.
    """
    liveness: Liveness = app.state.liveness
    owners: Owners = app.state.owners
    if liveness.away("circulation"):
        return None  # the probe reports when it is back; until then no call waits for it
    try:
        async with asyncio.timeout(ACCRUING_SECONDS):
            answer = await owners.get("circulation", "/v1/me/accruing", now=now, token=token)
        said = _accruing_answer.validate_python(answer)
    except (OwnerAway, TimeoutError):
        liveness.saw("circulation", False)
        return None
    except (OwnerRefused, ValueError) as error:
        log.warning("owner answers garbage", owner="circulation", error=type(error).__name__)
        return None
    liveness.saw("circulation", True)
    return said.model_dump()


# ---- OpenAPI ------------------------------------------------------------------------------------


class Documents:
    """Cache of the owners' OpenAPI documents; it keeps the last one while an owner is away."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._merged: dict[str, Any] | None = None
        self._asked_at = -DOCUMENT_SECONDS
        self._lock = asyncio.Lock()

    async def merged(self, app: FastAPI) -> dict[str, Any]:
        """Return one document of all operations that the gateway answers or forwards."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= DOCUMENT_SECONDS:
                await asyncio.gather(*(self._ask(app, service) for service in OWNERS))
                self._asked_at = time.monotonic()
            if self._merged is None:  # takes 0.1 s: a thread lets others go on
                self._merged = await asyncio.to_thread(merge, app.openapi(), dict(self._known))
        return self._merged

    async def _ask(self, app: FastAPI, service: str) -> None:
        url = f"{app.state.settings.url_of(service)}/openapi.json"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with (
                asyncio.timeout(DEADLINE_SECONDS),
                app.state.owners.session.get(url) as response,
            ):
                raw = await response.read()
                if response.status != 200 or raw == self._raw.get(service):
                    return
                document = orjson.loads(raw)
                if isinstance(document.get("paths"), dict):
                    self._raw[service], self._known[service] = raw, document
                    self._merged = None


def merge(own: Mapping[str, Any], owners: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return `own` with the operations that are forwarded to each owner, and their schemas.

    If two different schemas have one name, the later one is prefixed with its service's name. An
    owner's routes that are not forwarded are left out, and so is the role `service`, which no
    client has.
    """
    merged: dict[str, Any] = {**own, "paths": dict(own["paths"])}
    schemas: dict[str, Any] = dict(own.get("components", {}).get("schemas", {}))
    for service in sorted(owners):
        paths = {
            path: operations
            for path, operations in owners[service]["paths"].items()
            if owner_of(path) == service
        }
        theirs = owners[service].get("components", {}).get("schemas", {})
        needed = _needed(paths, theirs)
        names = _new_names(service, needed, schemas)
        schemas |= {names[name]: _renamed(schema, names) for name, schema in needed.items()}
        for path, operations in _renamed(paths, names).items():
            merged["paths"][path] = {
                method: {**operation, "tags": operation.get("tags") or [service]}
                for method, operation in operations.items()
            }
    components = {**own.get("components", {}), "schemas": dict(sorted(schemas.items()))}
    merged["components"] = components
    if "securitySchemes" in components:
        components["securitySchemes"] = _but_services(components["securitySchemes"])
    merged["paths"] = {
        path: {method: _for_clients(operation) for method, operation in operations.items()}
        for path, operations in sorted(merged["paths"].items())
    }
    add_links(merged["paths"])
    missing = [service for service in OWNERS if service not in owners]
    if missing:
        merged["x-missing"] = missing
    return merged


def _for_clients(operation: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [_but_services(one) for one in operation.get("security", ())]
    return {**operation, "security": [one for one in allowed if one]}


def _but_services(roles: Mapping[str, Any]) -> dict[str, Any]:
    return {role: said for role, said in roles.items() if role != "service"}


_REFERENCE = "#/components/schemas/"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            yield target.removeprefix(_REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _needed(paths: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in found:
            found[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    return found


def _new_names(service: str, needed: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, str]:
    names = {name: name for name in needed}
    while True:
        # Renaming one schema changes those that refer to it, which may then differ as well.
        clashing = [
            name
            for name, schema in needed.items()
            if names[name] == name and name in taken and _renamed(schema, names) != taken[name]
        ]
        if not clashing:
            return names
        names |= {name: f"{service.capitalize()}{name}" for name in clashing}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _REFERENCE
            + names.get(item.removeprefix(_REFERENCE), item.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(item, str) and item.startswith(_REFERENCE)
            else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value
