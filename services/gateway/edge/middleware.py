"""The outermost layer: refuse unacceptable requests unread, add headers to every answer.

The limits of body size and time, request ids and trace context are in the chassis
(`shared/http/middleware.py`), because every service has them. Rate limits are in `limits.py`.
"""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

from fastapi import FastAPI
from pymongo.errors import PyMongoError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.edge.busy import RefuseWhenBusy
from services.gateway.edge.limits import Limits, token_of
from services.gateway.paia.answers import EXPOSED_HEADERS, is_of_door
from services.gateway.settings import Settings
from services.gateway.views.overviews import OVERVIEW, Answer, OverviewService
from services.gateway.web.api import OF_A_PAGE
from services.gateway.web.enquiries.uploads import has_files
from services.gateway.web.page_request import MOST_FILES
from services.gateway.web.renewal import RenewSession
from services.uploads import is_upload, largest_body
from shared.auth import Verifier, known_caller
from shared.http.client_address import HEADER
from shared.http.dependencies import business_time
from shared.http.problems import OTHER_TYPE, problem, unavailable
from shared.http.service import MAX_BODY
from shared.mongo import is_away
from shared.owners import OwnerAway
from shared.refusals import PlainProblem

MAX_URL = 8 * 1024
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
COMPRESSED_FROM = 1400
"""Smallest answer to compress, in bytes: one that fits into a packet gains nothing."""
COMPRESSION_LEVEL = 3
ADDRESS_TOO_LONG = PlainProblem("address-too-long", 414)
HEADERS_TOO_LARGE = PlainProblem("headers-too-large", 431)
AMBIGUOUS = PlainProblem("ambiguous", 400)

_OWN = (b"same-origin", b"none")
"""Values of Sec-Fetch-Site of requests that no other site has made, or any page at all."""

_ONCE = {b"host", b"content-length", b"authorization", b"content-type"}
"""Headers that must not occur twice: the next server might use the other value."""
_BETWEEN_SERVICES = {b"carrel-changes", HEADER.encode()}
"""Headers that services send to each other; those of clients are dropped."""

_SECURITY = {
    b"x-content-type-options": b"nosniff",
    # Not "no-referrer": with it, browsers send our own forms without their origin.
    b"referrer-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Headers of every response, unless a route sets its own value."""


class Edge:
    """Refuse request heads that are too large or ambiguous; add security headers to answers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = dict(_SECURITY)
        if settings.hsts_seconds:
            value = f"max-age={settings.hsts_seconds}; includeSubDomains"
            self._headers[b"strict-transport-security"] = value.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                more = [
                    (name, value) for name, value in self._headers.items() if name not in present
                ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        refused = _refused(scope)
        if refused is not None:
            await refused(scope, receive, secured)
            return
        dropped = _BETWEEN_SERVICES | ({b"accept-encoding"} if _has_secret(scope) else set())
        dropped |= {b"authorization"} if _is_of_paia_alone(scope) else set()
        kept = [_plain(*header) for header in scope["headers"] if header[0] not in dropped]
        passed = {**scope, "headers": kept, "method": _method(scope)}
        await self._app(passed, receive, secured)


class _Gzip:
    """Compress responses for clients that accept gzip; pages only if no other site asks for them.

    Requests that do not accept it pass without the cost of the compression layer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._all = GZipMiddleware(app, COMPRESSED_FROM, COMPRESSION_LEVEL)
        excluded = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "text/html")
        self._no_pages = GZipMiddleware(
            app, COMPRESSED_FROM, COMPRESSION_LEVEL, exclude_content_types=excluded
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress the response if the client accepts gzip."""
        sent = dict(scope["headers"]) if scope["type"] == "http" else {}
        if b"gzip" not in sent.get(b"accept-encoding", b""):
            await self._app(scope, receive, send)
        elif sent.get(b"sec-fetch-site") in _OWN:
            await self._all(scope, receive, send)
        else:
            await self._no_pages(scope, receive, send)


def protect(app: FastAPI, settings: Settings) -> None:
    """Add the edge outside the chassis' layer, and the limits by caller inside it.

    The length of a compressed page that repeats a guess reveals whether the guess is on the page
    (BREACH). So pages are compressed only where no other site can have chosen the request
    (docs/decisions/234). Other compressed answers have no secret or repeat nothing of the request.
    """
    app.add_middleware(_Gzip)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "Last-Event-ID",
                "Traceparent",
                "X-Request-Id",
            ],
            expose_headers=[
                "ETag",
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
                "X-Request-Id",
                *EXPOSED_HEADERS,
            ],
        )
    app.add_middleware(Edge, settings=settings)
    # Inside the chassis' layer, so that it logs and counts the responses given here.
    app.user_middleware += [
        Middleware(RenewSession),
        Middleware(Limits, settings=settings),
        Middleware(RefuseWhenBusy, settings=settings),
        Middleware(DirectOverview),
    ]


def largest_of_callers(settings: Settings) -> Callable[[Scope], int]:
    """Return the function that gives the greatest number of bytes in the body of a request.

    Only callers with a token may send more than usual: files, and forms with files.
    """
    usual = largest_body(settings)
    files = MOST_FILES * settings.attachment_bytes

    def largest(scope: Scope) -> int:
        if not token_of(Headers(scope=scope)):
            return MAX_BODY
        return usual(scope) + (files if has_files(scope) else 0)

    return largest


def _method(scope: Scope) -> str:
    """Return the method whose answer is sent: HEAD is GET, and the server leaves out the body.

    A stream of events would stay open without anything that reads it.
    """
    is_read: bool = scope["method"] == "HEAD" and not scope["path"].endswith("/me/stream")
    return "GET" if is_read else scope["method"]


def _plain(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header without backslashes if it is a cookie; ours have none.

    Python before 3.11.10 takes a second to read some thousands of them (CVE-2024-7592).
    """
    return name, value.replace(b"\\", b"") if name == b"cookie" else value


def _refused(scope: Scope) -> ASGIApp | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URL:
        return problem(ADDRESS_TOO_LONG, f"An address may have {MAX_URL} bytes.")
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        detail = f"{MAX_HEADERS} header fields of together {MAX_HEADER_BYTES} bytes may be sent."
        return problem(HEADERS_TOO_LARGE, detail)
    names = Counter(name for name, _ in headers)
    twice = sorted(name.decode() for name in _ONCE if names[name] > 1)
    if twice:
        return problem(AMBIGUOUS, f"More than one header field {', '.join(twice)}.")
    if is_upload(scope) and not _has_type(dict(headers), b"application/octet-stream", b""):
        return problem(OTHER_TYPE, "A file is sent as application/octet-stream.")
    if is_upload(scope) or not scope["path"].startswith("/v1/"):
        return None
    if not _has_type(dict(headers), b"application/json", b"application/json"):
        return problem(OTHER_TYPE, "A body is JSON: Content-Type: application/json.")
    return None


def _has_type(headers: dict[bytes, bytes], wanted: bytes, unnamed: bytes) -> bool:
    """Return whether the body has a type or is empty; `unnamed` is the type of one that names none.

    Some clients name a type even without a body. A page of another site can send other types than
    these without a preflight request.
    """
    if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return True
    kind = headers.get(b"content-type", unnamed)
    return kind.split(b";")[0].strip().lower() == wanted


_WITH_SECRETS = (
    *("/v1/sessions", "/v1/sessions/passkey", "/v1/sessions/provider", "/v1/sessions/renewal"),
    *("/paia/auth/login", "/openid/token"),
)


def _has_secret(scope: Scope) -> bool:
    path: str = scope["path"]
    return path in _WITH_SECRETS or path.startswith("/v1/second-factors")


def _is_of_paia_alone(scope: Scope) -> bool:
    """Return whether a client sends a token with scopes to another address than those of PAIA.

    PAIA uses it in this process, for the routes of its scopes (shared/rights.py).
    """
    if OF_A_PAGE in scope or is_of_door(scope["path"]):
        return False
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    token = sent.partition(b" ")[2].strip().decode("latin-1")
    verifier: Verifier = scope["app"].state.verifier
    return bool(token) and verifier.has_scopes(token)


_ROUTE = SimpleNamespace(path=OVERVIEW)
"""Route name of these answers in metrics and logs."""


class DirectOverview:
    """Middleware that answers with an account overview."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != OVERVIEW or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer: ASGIApp
        try:
            found = await _found(request)
            answer = found.to(request) if found else self._app
        except OwnerAway as error:
            answer = unavailable(error.service)
        except PyMongoError as error:
            answer = unavailable() if is_away(error) else self._app
        except HTTPException:
            answer = self._app  # the route reports what is wrong with the request
        if answer is not self._app:
            scope["route"] = _ROUTE
        await answer(scope, receive, send)


async def _found(request: Request) -> Answer | None:
    caller = known_caller(request)
    if caller is None or "patron" not in caller.roles:
        return None
    overviews: OverviewService = request.app.state.overviews
    return await overviews.answer(caller, business_time(request))
