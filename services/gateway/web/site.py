"""The page's wiring: its routes, and problems told as pages to who asked for one."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import FastAPI, Request, Response

from services.gateway.web import (
    account,
    activities,
    branches,
    catalogue,
    charges,
    files,
    history,
    holds,
    inbox,
    info,
    live,
    loans,
    notices,
    setting,
    sign_in,
)
from services.gateway.web.api import Failure
from services.gateway.web.desk import closures, lending, news, patrons, suspensions
from services.gateway.web.session import SESSION, ForgedForm, Said, cookie
from services.gateway.web.sign_in import log_in_address
from services.gateway.web.visit import LogInFirst, visit_after

ROUTERS = tuple(
    subject.router
    for subject in (
        *(files, sign_in, account, live, loans, holds, charges, info, inbox, setting, history),
        *(catalogue, activities, branches, notices),
        *(lending, patrons, closures, suspensions, news),
    )
)

Handler = Callable[[Request, Exception], Awaitable[Response]]


def add_pages(app: FastAPI) -> None:
    """Tell browsers of problems in pages. The routes themselves are among the service's routers."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_browsers(handler))  # type: ignore[arg-type]
    app.add_exception_handler(LogInFirst, _log_in_first)
    app.add_exception_handler(ForgedForm, _forged)
    app.add_exception_handler(Failure, _failed)  # type: ignore[arg-type]


def _for_browsers(handler: Handler) -> Handler:
    async def tell(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        if not _wants_a_page(request):
            return answer
        told = orjson.loads(answer.body)
        response = await problem_page(request, answer.status_code, told["code"])
        if "retry-after" in answer.headers:
            response.headers["Retry-After"] = answer.headers["Retry-After"]
        return response

    return tell


def _wants_a_page(request: Request) -> bool:
    accepts = "text/html" in request.headers.get("accept", "")
    return (accepts or "hx-request" in request.headers) and not request.url.path.startswith("/v1/")


async def problem_page(request: Request, status: int, code: str) -> Response:
    """A page that says what went wrong."""
    return (await visit_after(request)).page(
        "problem.html", status=status, problem=status, code=code
    )


async def _log_in_first(request: Request, _: Exception) -> Response:
    visit = await visit_after(request)
    ended = [Said("session-ended", {}, went_well=False)] if cookie(request, SESSION) else []
    return visit.go(log_in_address(request), *ended)


async def _forged(request: Request, _: Exception) -> Response:
    return await problem_page(request, 403, "forged-form")


async def _failed(request: Request, failure: Failure) -> Response:
    if failure.status == 401:
        return await _log_in_first(request, failure)
    return await problem_page(request, failure.status, failure.code)
