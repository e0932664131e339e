"""The middleware of every request: limits of size and time, request id, metrics and changes."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import orjson
import structlog
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import AWAY, CLIENT_GONE, TOO_LARGE, UNAVAILABLE, problem
from shared.http.recording import RecordActs
from shared.http.service import Service
from shared.ids import new_id
from shared.telemetry import ERRORS, IN_FLIGHT, REQUESTS, correlated, route_of
from shared.tracing import fail, span

log = structlog.get_logger()

MAX_TRACE_STATE = 512
"""Longest `tracestate` that W3C Trace Context requires to be passed on. Each event carries it."""


class _TooLarge(Exception):
    pass


class RequestMiddleware:
    """Applies limits of size and time, and adds request id, metrics and changes to each request."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        within = service.answers_within
        app = RecordActs(app)
        self._app = app if within is None else _Deadline(app, within, service.takes_long)
        self._service = service.name
        self._largest_body = service.largest_body
        ERRORS.labels(service.name)  # from zero on: the first one is an increase

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the app within its limits, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = scope["carrel.request_id"] = _request_id(headers)
        scope.setdefault("state", {})
        started = asyncio.get_running_loop().time()
        status, taken, gone = 0, 0, False
        declared = headers.get(b"content-length", b"0")
        most = self._largest_body(scope)
        # A read has no changes, and a stream of events must not be held back for them.
        wants_changes = b"carrel-changes" in headers and scope["method"] not in ("GET", "HEAD")
        start: Message | None = None
        begun: float | None = None
        """Start of a stream of events; the metric leaves out the time that the stream lasts."""
        chunks: list[bytes] = []

        async def limited() -> Message:
            nonlocal taken, gone
            message = await receive()
            gone = gone or (message["type"] == "http.disconnect" and not status)
            taken += len(message.get("body", b""))
            if taken > most:
                raise _TooLarge
            return message

        async def observed(message: Message) -> None:
            nonlocal status, start, begun
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_stream(message):
                    begun = asyncio.get_running_loop().time()
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if wants_changes:
                    start = message
                    return
            elif wants_changes:
                chunks.append(message.get("body", b""))
                if message.get("more_body"):
                    return
                await _send_with_changes(scope, start or {}, b"".join(chunks), send)
                return
            await send(message)

        in_flight = IN_FLIGHT.labels(self._service).track_inprogress()
        with in_flight, correlated(request_id), _serving(scope) as serving:
            try:
                if not declared.isdigit() or int(declared) > most:
                    raise _TooLarge
                await self._app(scope, limited, observed)
            except _TooLarge:
                status = 413
                answer = problem(TOO_LARGE, f"A body may have {most} bytes.")
                await answer(scope, receive, observed)
            finally:
                elapsed = (begun or asyncio.get_running_loop().time()) - started
                self._record(scope, serving, CLIENT_GONE.status if gone else status or 500, elapsed)

    def _record(self, scope: Scope, serving: Span, status: int, seconds: float) -> None:
        """Write the metric, the span's final attributes and the log line of an answer."""
        method, route = scope["method"], route_of(scope)
        REQUESTS.labels(self._service, method, route, status).observe(seconds)
        serving.update_name(f"{method} {route}")
        serving.set_attribute("http.route", route)
        serving.set_attribute("http.response.status_code", status)
        if status >= 500:
            fail(serving, str(status))
        if status == 500:
            ERRORS.labels(self._service).inc()
        # Changes and failures are logged at INFO; reads and probes, which are many, at DEBUG.
        level = logging.DEBUG if status < 500 and method in ("GET", "HEAD") else logging.INFO
        took = round(seconds * 1000, 1)
        log.log(level, "answered", method=method, route=route, status=status, milliseconds=took)


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's X-Request-Id if it can be logged, else a new id."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    usable = 0 < len(given) <= 100 and given.isprintable() and given.isascii()
    return given if usable else new_id()


def _serving(scope: Scope) -> AbstractContextManager[Span]:
    """Return a server span under the caller's; no span for probes, which come each second."""
    if scope["path"] == "/health/live":
        return nullcontext(INVALID_SPAN)
    about = {"http.request.method": scope["method"]}
    return span(scope["method"], SpanKind.SERVER, headers=_trace_of(scope), attributes=about)


def _trace_of(scope: Scope) -> Mapping[str, Sequence[str]] | None:
    """Return the caller's trace headers; None if there is no traceparent, or more than one."""
    sent: dict[str, list[str]] = {"traceparent": [], "tracestate": []}
    for name, value in scope["headers"]:
        if name in (b"traceparent", b"tracestate"):
            sent[name.decode()].append(value.decode("latin-1"))
    if len(",".join(sent["tracestate"])) > MAX_TRACE_STATE:
        del sent["tracestate"]
    return sent if len(sent["traceparent"]) == 1 else None


def _is_stream(start: Message) -> bool:
    """Return whether a response that starts is a stream of events."""
    kind: bytes = dict(start["headers"]).get(b"content-type", b"")
    return kind.startswith(b"text/event-stream")


class _Deadline:
    """Answers 503 for an app that has not begun to answer `seconds` after the request."""

    def __init__(self, app: ASGIApp, seconds: float, takes_long: Callable[[Scope], bool]) -> None:
        self._app = app
        self._seconds = seconds
        self._takes_long = takes_long

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._takes_long(scope):
            await self._app(scope, receive, send)
            return
        begun = False

        async def received() -> Message:
            message = await receive()
            if not begun:  # a slow body from the client is not our delay
                deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                deadline.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as deadline:
                await self._app(scope, received, sent)
        except TimeoutError:
            if begun or not deadline.expired():
                raise
            log.warning("too slow", route=route_of(scope))
            answer = problem(UNAVAILABLE, "This takes too long now. Try again.", headers=AWAY)
            await answer(scope, receive, send)


async def _send_with_changes(scope: Scope, start: Message, body: bytes, send: Send) -> None:
    """Send the response, wrapped with the events that the command recorded, if there are any.

    The caller applies them to its views before it answers, so that a client reads its own writes.
    The same events come by Kafka later and then change nothing. Events of a repeated request name
    the time of their recording, because what they created may have ended since. A refusal has
    events if steps before it were committed.
    """
    run = scope["state"].get("run")
    if run is not None and run.events and start["status"] < 500:
        earlier = {"recorded_at": run.recorded_at} if run.recorded_at else {}
        body = orjson.dumps(
            {
                "status": start["status"],
                "answer": orjson.Fragment(body) if body else None,
                "changes": [
                    {"topic": event.topic, "data": orjson.Fragment(event.body()), **earlier}
                    for event in run.events
                ],
            }
        )
        kept = [
            (name, value) for name, value in start["headers"] if name.lower() != b"content-length"
        ]
        if start["status"] == 204:
            start["status"] = 200  # a 204 can't have a body: one would break the connection
        start["headers"] = [
            *kept,
            (b"content-length", str(len(body)).encode()),
            (b"carrel-changes", str(len(run.events)).encode()),
        ]
    await send(start)
    await send({"type": "http.response.body", "body": body})
