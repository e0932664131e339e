"""Set up the page: its routes, and problems as pages for browsers."""

import orjson
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.web import (
    account,
    activities,
    audit_trail,
    bank,
    branches,
    calendar,
    catalogue,
    charges,
    check_in,
    devices,
    enquiries,
    family,
    files,
    forgotten_pin,
    guests,
    history,
    holds,
    inbox,
    info,
    live,
    loans,
    notices,
    own_log_in,
    second_factor,
    setting,
    sign_in,
    study_rooms,
    study_sessions,
    tracing,
    unsubscribe,
)
from services.gateway.web.api import Failure
from services.gateway.web.desk import accounts as desk_accounts
from services.gateway.web.desk import activities as desk_activities
from services.gateway.web.desk import bank as desk_bank
from services.gateway.web.desk import (
    closures,
    deliveries,
    erasure,
    fetching,
    lending,
    libraries,
    news,
    patrons,
    staff,
    suspensions,
    visitors,
    webhooks,
    wordings,
)
from services.gateway.web.desk import enquiries as desk_enquiries
from services.gateway.web.desk import family as desk_family
from services.gateway.web.desk import loans as desk_loans
from services.gateway.web.desk import study_rooms as desk_study_rooms
from services.gateway.web.desk import study_sessions as desk_study_sessions
from services.gateway.web.session import (
    SESSION,
    FlashMessage,
    ForgedForm,
    FormOfEndedSession,
    cookie,
)
from services.gateway.web.sign_in import ask_again, log_in_address
from services.gateway.web.visit import LogInFirst, visit_after

ROUTERS = tuple(
    subject.router
    for subject in (
        *(files, sign_in, account, live, loans, holds, charges, info, inbox, enquiries, setting),
        *(devices, history, catalogue, activities, study_rooms, branches, check_in, notices, bank),
        *(lending, fetching, patrons, closures, suspensions, news, desk_enquiries, desk_bank),
        *(unsubscribe, desk_activities, deliveries, webhooks, visitors, tracing, desk_study_rooms),
        *(libraries, study_sessions, desk_study_sessions, wordings, forgotten_pin, erasure, guests),
        *(calendar, family, desk_family, staff, audit_trail, second_factor, own_log_in),
        *(desk_accounts, desk_loans),
    )
)


def add_pages(app: FastAPI) -> None:
    """Show problems to browsers as pages. The routes are among the service's routers."""
    app.add_exception_handler(LogInFirst, _log_in_first)
    app.add_exception_handler(ForgedForm, _forged)
    app.add_exception_handler(Failure, _failed)  # type: ignore[arg-type]
    app.add_middleware(ProblemPages)


class ProblemPages:
    """Middleware around all that may refuse a request: turns problems into pages for browsers.

    Not only routes refuse requests: the limits of time, size and number around them do, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer with a page if the response is a problem."""
        if scope["type"] != "http" or not _wants_a_page(Request(scope)):
            await self._app(scope, receive, send)
            return
        scope = {**scope, "state": {}}  # routes store the form here
        problem: Message | None = None
        begun = False
        body = b""

        async def send_or_page(message: Message) -> None:
            nonlocal begun, body, problem
            begun = True
            if message["type"] == "http.response.start" and _is_problem(message):
                problem = message
            elif problem is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await (await self._page(scope, problem, body))(scope, receive, send)

        try:
            await self._app(scope, receive, send_or_page)
        except Exception:
            if not begun:
                page = await problem_page(Request(scope), 500, "internal")
                await page(scope, receive, send)
            raise

    @staticmethod
    async def _page(scope: Scope, problem: Message, body: bytes) -> Response:
        page = await problem_page(Request(scope), problem["status"], orjson.loads(body)["code"])
        for name, value in problem["headers"]:
            if name.lower() == b"set-cookie":
                page.raw_headers.append((name, value))
            elif name.lower() not in (b"content-type", b"content-length"):
                page.headers[name.decode()] = value.decode("latin-1")
        return page


def _is_problem(start: Message) -> bool:
    return (b"content-type", b"application/problem+json") in start["headers"]


def _wants_a_page(request: Request) -> bool:
    accepts = "text/html" in request.headers.get("accept", "")
    return (accepts or "hx-request" in request.headers) and not request.url.path.startswith("/v1/")


async def problem_page(request: Request, status: int, code: str) -> Response:
    """Return a page that says what went wrong."""
    return (await visit_after(request)).page(
        "problem.html", status=status, problem=status, code=code
    )


async def _log_in_first(request: Request, _: Exception) -> Response:
    visit = await visit_after(request)
    if visit.form:
        return ask_again(visit)
    ended = [FlashMessage("session-ended", {}, went_well=False)] if cookie(request, SESSION) else []
    return visit.go(log_in_address(request), *ended)


async def _forged(request: Request, forged: Exception) -> Response:
    ended = isinstance(forged, FormOfEndedSession)
    return await problem_page(request, 403, "form-of-ended-session" if ended else "forged-form")


async def _failed(request: Request, failure: Failure) -> Response:
    if failure.status == 401:
        return await _log_in_first(request, failure)
    return await problem_page(request, failure.status, failure.code)
