"""Set up the page: its routes, and problems as pages for browsers."""

import orjson
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.web import files
from services.gateway.web.account import (
    card,
    desk_activities,
    desk_items,
    info,
    passkeys,
    register,
    registration,
    settings,
)
from services.gateway.web.account import desk as account_desk
from services.gateway.web.account import patron as account
from services.gateway.web.activities import desk as activities_desk
from services.gateway.web.activities import patron as activities
from services.gateway.web.api import Failure
from services.gateway.web.catalogue import copies as titles_copies
from services.gateway.web.catalogue import desk as titles_desk
from services.gateway.web.catalogue import imports as titles_imports
from services.gateway.web.charges import desk as charges_desk
from services.gateway.web.charges import patron as charges
from services.gateway.web.charges import till
from services.gateway.web.closures import desk as closures
from services.gateway.web.closures import suspensions
from services.gateway.web.copies import desk as copies_desk
from services.gateway.web.design import patron as design
from services.gateway.web.enquiries import desk as enquiries_desk
from services.gateway.web.enquiries import patron as enquiries
from services.gateway.web.family import desk as family_desk
from services.gateway.web.family import patron as family
from services.gateway.web.holds import patron as holds
from services.gateway.web.holds import search
from services.gateway.web.libraries import calendar as libraries_calendar
from services.gateway.web.libraries import desk as libraries_desk
from services.gateway.web.libraries import patron as libraries
from services.gateway.web.lists import patron as lists
from services.gateway.web.loans import claims
from services.gateway.web.loans import desk as lending
from services.gateway.web.loans import patron as loans
from services.gateway.web.messages import desk as messages
from services.gateway.web.messages import letters
from services.gateway.web.notices import desk as notices_desk
from services.gateway.web.notices import patron as notices
from services.gateway.web.offline import desk as offline_desk
from services.gateway.web.offline import patron as offline
from services.gateway.web.openid import patron as openid
from services.gateway.web.operations import system
from services.gateway.web.page_request import LogInFirst, request_after
from services.gateway.web.pages import Texts
from services.gateway.web.policies import desk as policies_desk
from services.gateway.web.rendering import Renderer
from services.gateway.web.self_checkout import desk as self_checkout_desk
from services.gateway.web.self_checkout import patron as self_checkout
from services.gateway.web.session import (
    SESSION,
    FlashMessage,
    ForgedForm,
    FormOfEndedSession,
    cookie,
)
from services.gateway.web.sign_in import log_in, own_access
from services.gateway.web.sign_in import passkeys as passkey_log_in
from services.gateway.web.sign_in import provider as provider_log_in
from services.gateway.web.sign_in.log_in import ask_again, log_in_address
from services.gateway.web.staff import audit_trail
from services.gateway.web.staff import desk as staff
from services.gateway.web.study_rooms import desk as study_rooms_desk
from services.gateway.web.study_rooms import patron as study_rooms
from services.gateway.web.today import desk as today
from services.gateway.web.visits import desk as visits_desk
from services.gateway.web.visits import patron as visits
from services.gateway.web.visits import tracing

PAGES = (
    # open to everybody
    *(
        search.router,
        holds.router,
        activities.router,
        study_rooms.router,
        libraries.router,
        notices.router,
    ),
    # of patrons
    *(account.router, card.router, self_checkout.router, info.router),
    *(enquiries.router, lists.router),
    *(family.router, settings.router, passkeys.router),
    *(loans.router, charges.router, visits.router, offline.router, openid.router),
    # of librarians
    today.router,
    *(lending.router, copies_desk.router, registration.router),
    *(account_desk.router, desk_items.router, desk_activities.router),
    *(titles_desk.router, titles_copies.router, titles_imports.router),
    *(closures.router, suspensions.router, notices_desk.router, enquiries_desk.router),
    *(messages.router, letters.router, visits_desk.router, study_rooms_desk.router, claims.router),
    *(policies_desk.router, libraries_calendar.router, offline_desk.router),
    *(charges_desk.router, till.router, activities_desk.router),
    *(family_desk.router, libraries_desk.router, self_checkout_desk.router),
    # of others
    *(
        system.router,
        tracing.router,
        audit_trail.router,
        staff.router,
        own_access.router,
        log_in.router,
        passkey_log_in.router,
        provider_log_in.router,
    ),
    register.router,
    design.router,
)
"""The pages of all subjects, in the order of the menus."""
ROUTERS = (files.router, *PAGES)
TEXTS = Texts(PAGES)
RENDERER = Renderer(TEXTS)


def add_pages(app: FastAPI) -> None:
    """Show problems to browsers as pages. The routes are among the service's routers."""
    app.state.renderer = RENDERER
    app.state.branch_names = {}
    app.state.phone_lending, app.state.phone_lending_at = [], -60.0
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


_MACHINES = frozenset({"station", "verifier"})
"""Roles of programs, which have no pages."""
_FOR_PROGRAMS = ("/v1/", "/paia/", "/daia")


def _wants_a_page(request: Request) -> bool:
    accepts = "text/html" in request.headers.get("accept", "")
    asks = accepts or "hx-request" in request.headers
    return asks and not request.url.path.startswith(_FOR_PROGRAMS)


async def problem_page(request: Request, status: int, code: str) -> Response:
    """Return a page that says what went wrong."""
    page_request = await request_after(request)
    caller = page_request.caller
    if code == "forbidden" and caller is not None and caller.roles <= _MACHINES:
        return page_request.page("account/no-pages.html", status=status)
    return page_request.page("layout/problem.html", status=status, problem=status, code=code)


async def _log_in_first(request: Request, _: Exception) -> Response:
    page_request = await request_after(request)
    if page_request.form:
        return ask_again(page_request)
    ended = [FlashMessage("session-ended", went_well=False)] if cookie(request, SESSION) else []
    return page_request.go(log_in_address(request), *ended)


async def _forged(request: Request, forged: Exception) -> Response:
    ended = isinstance(forged, FormOfEndedSession)
    return await problem_page(request, 403, "form-of-ended-session" if ended else "forged-form")


async def _failed(request: Request, failure: Failure) -> Response:
    if failure.status == 401:
        return await _log_in_first(request, failure)
    return await problem_page(request, failure.status, failure.code)
