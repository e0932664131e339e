"""Problems (RFC 9457): the responses to requests that fail, and the errors that lead to them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from pydantic import BaseModel, Field
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.auth import Forbidden, Unauthenticated
from shared.idempotency import KeyReused
from shared.mongo import is_away
from shared.owners import BadId, OwnerAway, OwnerRefused
from shared.refusals import PlainProblem, ProblemKind, Refusal
from shared.telemetry import route_of
from shared.unit_of_work import Busy

log = structlog.get_logger()

Handler = Callable[[Request, Exception], Awaitable[Response]]

REFUSALS = Counter(
    "carrel_refusals_total", "Requests, and items of requests, that a rule refused", ["code"]
)

AWAY = {"Retry-After": "2"}
MOST_ERRORS = 100
"""Number of wrong fields that a problem names."""

MALFORMED = PlainProblem("malformed", 422)
NOT_JSON = PlainProblem("not-json", 400)
OTHER_TYPE = PlainProblem("not-json", 415)
TOO_LARGE = PlainProblem("too-large", 413)
METHOD_NOT_ALLOWED = PlainProblem("method-not-allowed", 405)
TOO_MANY_REQUESTS = PlainProblem("too-many-requests", 429)
UNAVAILABLE = PlainProblem("unavailable", 503)
INTERNAL = PlainProblem("internal", 500)
CLIENT_GONE = PlainProblem("client-gone", 499)
"""The client left before its request was whole; nginx counts such requests under this status."""


class Problem(BaseModel):
    """A problem (RFC 9457): programs read `code`, people read `detail`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str
    errors: list[dict[str, Any]] | None = None
    ways_out: list[dict[str, Any]] | None = Field(
        default=None,
        description="Steps after which a refused loan, renewal or reservation succeeds, the "
        "cheapest first, as in the refusal of an item of a check-out.",
    )


class NotFound(Exception):
    """The resource does not exist, or this caller may not know of it."""

    code: ClassVar[str] = "not-found"
    status: ClassVar[int] = 404

    def __init__(self, what: str = "thing") -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


_BY_STATUS: Mapping[int, ProblemKind] = {
    kind.status: kind for kind in (NOT_JSON, NotFound, METHOD_NOT_ALLOWED, TOO_LARGE, MALFORMED)
}
"""Kinds of the problems that the web framework raises."""


def problem(
    kind: ProblemKind,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response:
    """Return a problem as a response, with further members."""
    body: dict[str, Any] = {
        "type": f"/problems/{kind.code}",
        "title": kind.code.replace("-", " ").capitalize(),
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        **members,
    }
    return Response(
        orjson.dumps(body), kind.status, dict(headers or {}), media_type="application/problem+json"
    )


def count_refusal(code: str) -> None:
    """Count and log a refusal: of a whole request, or of one of its items."""
    REFUSALS.labels(code).inc()
    log.info("refused", code=code)


def unavailable(what: str = "A part of the system") -> Response:
    """Return a 503: a service, or a part of the system, is away."""
    return problem(UNAVAILABLE, f"{what} is away for a moment. Try again.", headers=AWAY)


def add_problems(app: FastAPI) -> None:
    """Answer each kind of error with its problem."""

    def answered(
        kind: ProblemKind, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> Handler:
        async def answer(_: Request, error: Exception) -> Response:
            return problem(kind, detail or str(error), headers=headers)

        return answer

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)  # noqa: S101
        count_refusal(error.code)
        headers = {"Retry-After": "60"} if error.status == 429 else None
        return problem(error, error.reason, headers=headers, **error.extra)

    async def away(_: Request, error: Exception) -> Response:
        return unavailable(error.service) if isinstance(error, OwnerAway) else unavailable()

    async def out_of_range(request: Request, error: Exception) -> Response:
        log.warning("out of range", route=route_of(request.scope), exc_info=error)
        return problem(MALFORMED, "A number or a date is out of range.")

    async def database(request: Request, error: Exception) -> Response:
        if is_away(error) or isinstance(error, Busy):
            return await away(request, error)
        return await unexpected(request, error)

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error(
            "unexpected", route=route_of(request.scope), error=type(error).__name__, exc_info=error
        )
        return problem(INTERNAL, "Something went wrong here. It has been logged.")

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        faults = error.errors()
        if any(fault["type"] == "json_invalid" for fault in faults):
            return problem(NOT_JSON, "The body is not JSON.")
        errors = [
            {"field": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
            for fault in faults[:MOST_ERRORS]
        ]
        return problem(MALFORMED, "Some fields are not as they should be.", errors=errors)

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_GONE.status)  # nobody reads it

    async def plain_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        kind = _BY_STATUS.get(error.status_code, PlainProblem("refused", error.status_code))
        return problem(kind, str(error.detail), headers=error.headers)

    for kind, handler in (
        (Refusal, refused),
        (NotFound, answered(NotFound)),
        (
            KeyReused,
            answered(KeyReused, "This Idempotency-Key was used for another request."),
        ),
        (
            Unauthenticated,
            answered(
                Unauthenticated,
                "Log in: the token is missing, altered, expired or meant for another system.",
                {"WWW-Authenticate": "Bearer"},
            ),
        ),
        (Forbidden, answered(Forbidden, "Your role does not allow this.")),
        (OwnerAway, away),
        (OwnerRefused, answered(MALFORMED)),
        (BadId, answered(MALFORMED)),
        (OverflowError, out_of_range),
        (Busy, away),
        (PyMongoError, database),
        (RequestValidationError, malformed),
        (HTTPException, plain_http),
        (ClientDisconnect, gone),
        (Exception, unexpected),
    ):
        app.add_exception_handler(kind, handler)
