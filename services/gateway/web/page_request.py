"""One request of a browser with its sender and language, and the answering page."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pymongo.errors import PyMongoError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from services.gateway.web import session
from services.gateway.web.api import Api, Reply, segment, site_of
from services.gateway.web.languages import Language, language_of
from services.gateway.web.page_context import PageContext
from services.gateway.web.rendering import Renderer
from services.gateway.web.session import FlashMessage
from shared.auth import Caller, Forbidden, Unauthenticated, Verifier
from shared.clock import library_day
from shared.deadlines import allowed
from shared.http.dependencies import BusinessTime
from shared.owners import OwnerAway
from shared.rights import Right

MAX_FIELDS = 300
SECRET_FIELDS = frozenset(
    {
        *("pin", "new_pin", "repeated_pin", "reset_code", "factor_code", "address_code"),
        *("application_code", "credential"),
    }
)
"""Fields of forms that no page shows again."""
MOST_DIGITS = 10
"""Number of digits from which on a number of a form is left to the API as text."""
MOST_FILES = 5
"""Number of files that a form may send; see `uploads.py`."""
_FILES_READ = 20
"""Number of files that are read of a form with too many, so that it can be shown again."""
_KNOW_SECONDS = 0.3
"""Time limit for identifying the visitor: slow if a token's key has yet to be fetched."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class LogInFirst(Exception):
    """The page requires log-in."""


@dataclass(frozen=True)
class PageRequest:
    """One request of a browser."""

    http: Request
    language: Language
    caller: Caller | None
    form: FormData = field(default_factory=FormData)
    """Fields of a form that came from a page of ours. Empty for a GET."""
    unknown: bool = False
    """True if a visitor has logged in and cannot be identified at the moment."""

    @property
    def api(self) -> Api:
        """The gateway's routes, called as this visitor."""
        token = self.caller.token if self.caller else None
        return Api(self.http, token, self.language.code)

    @property
    def is_patron(self) -> bool:
        """True if a patron has logged in."""
        return self.caller is not None and "patron" in self.caller.roles

    @property
    def zone(self) -> ZoneInfo:
        """The library's time zone."""
        zone: ZoneInfo = self.http.app.state.settings.zone
        return zone

    @property
    def site(self) -> str:
        """The address of the site without a slash at its end, for links that people pass on."""
        return site_of(self.http)

    @property
    def provider_label(self) -> str:
        """Name of the log-in at the library's identity provider; empty: there is none."""
        return str(self.http.app.state.settings.staff_label)

    @property
    def most_files(self) -> int:
        """Number of files that a form may send."""
        return MOST_FILES

    @property
    def largest_file_mb(self) -> int:
        """Size of the largest file that a form may send, in megabytes."""
        return int(self.http.app.state.settings.attachment_bytes // 1024**2)

    @property
    def key(self) -> str:
        """Idempotency-Key of the form: sent twice, it is executed once. Empty if not valid."""
        key = self.text("key")
        return key if key.isascii() and key.isprintable() else ""

    def key_of(self, part: str) -> str:
        """Return the Idempotency-Key of one of several commands of the form, named by a text."""
        return f"{self.key}-{segment(part)}" if self.key else ""

    def text(self, name: str) -> str:
        """Return the typed text of a field without blanks around it; "" if there is none."""
        typed = self.form.get(name, "")
        return typed.strip() if isinstance(typed, str) else ""

    def number(self, name: str) -> int | str | None:
        """Return the typed number of a field; None if it is empty.

        Other text is returned as it is: the API, which takes numbers alone, names the field.
        """
        typed = self.text(name)
        is_number = typed.isascii() and typed.isdigit() and len(typed) < MOST_DIGITS
        return int(typed) if is_number else typed or None

    def texts(self, name: str) -> list[str]:
        """Return all values of a repeatable field, each once."""
        typed = [value for value in self.form.getlist(name) if isinstance(value, str)]
        return list(dict.fromkeys(value for value in typed if value))

    @property
    def has_secrets(self) -> bool:
        """True if a secret was typed into the form."""
        return any(self.text(name) for name in SECRET_FIELDS)

    def page(
        self, template: str, *, status: int = 200, camera: bool = False, **shown: Any
    ) -> Response:
        """Return a page, with the messages of the last command; `camera`: it may use the camera.

        A page that page.js fetches to refresh an account leaves them to the next page, and leaves
        the language of the browser as it is.
        """
        context = PageContext(
            self.http,
            self.language,
            self.caller,
            self.api.last_names,
            self.renderer.texts,
            unknown=self.unknown,
            key=self.key if status == 503 else "",
        )
        refreshes = "carrel-refresh" in self.http.headers
        messages = [] if refreshes else session.read_messages(self.http, self.secret)
        html = self.renderer.render(
            template, self.language, page=context, request=self, messages=messages, **shown
        )
        response = HTMLResponse(html, status, HEADERS | {"Content-Language": self.language.code})
        if camera or context.at_desk:  # where the camera of a phone may scan
            devices = HEADERS["Permissions-Policy"].replace("camera=()", "camera=(self)")
            response.headers["Permissions-Policy"] = devices
        if status in (429, 503):
            response.headers["Retry-After"] = "2"
        if context.new_guest:
            session.keep(self.http, response, session.GUEST, context.new_guest)
        if messages:
            session.drop(self.http, response, session.MESSAGES)
        return response if refreshes else self._remember(response)

    async def send(self, method: str, path: str, body: Any = None) -> Reply:
        """Send the form's command to the API. A form that is sent twice is executed once."""
        return await self.api.send(method, path, body, key=self.key)

    def go(self, path: str, *messages: FlashMessage | str) -> Response:
        """Redirect the browser to a page of ours, with messages about the command, or codes."""
        response = RedirectResponse(path, 303, HEADERS)
        if messages:
            shown = [FlashMessage(one) if isinstance(one, str) else one for one in messages]
            session.show_next(self.http, response, self.secret, shown)
        return self._remember(response)

    def file(self, reply: Reply) -> Response:
        """Return a file of the API as a download. Raises Failure if it is a problem."""
        reply.succeed()
        names = ("content-type", "content-disposition")
        headers = HEADERS | {name: reply.headers[name] for name in names}
        return Response(reply.content, headers=headers)

    def refusal(self, reply: Reply) -> FlashMessage:
        """Return the message for a refused command, for the next page."""
        code = reply.failure().code
        return FlashMessage(
            code if code in self.renderer.texts.problems else "malformed", went_well=False
        )

    def refused(self, path: str, reply: Reply) -> Response:
        """Redirect the browser with the reason of a refusal; raise any other problem."""
        if reply.status not in (409, 422):
            raise reply.failure()
        return self.go(path, self.refusal(reply))

    @property
    def renderer(self) -> Renderer:
        """The templates, and the texts of all pages."""
        renderer: Renderer = self.http.app.state.renderer
        return renderer

    @property
    def secret(self) -> str:
        """The secret that the services share; a key from it signs cookies and forms."""
        return str(self.http.app.state.settings.service_secret)

    def _remember(self, response: Response) -> Response:
        if self.http.query_params.get("lang") == self.language.code:
            session.keep_language(self.http, response, self.language.code)
        return response


# ---- dependencies of routes ---------------------------------------------------------------------


async def request_after(request: Request) -> PageRequest:
    """Return the request of a page about a problem, with what is known of it by then."""
    return await _page_request(request, getattr(request.state, "form", FormData()))


async def _visit(request: Request) -> PageRequest:
    form = FormData()
    if request.method == "POST":
        if not session.is_utf8(request.headers.get("content-type", "")):
            raise HTTPException(400, "A form is sent in UTF-8.")
        form = await request.form(max_files=_FILES_READ, max_fields=MAX_FIELDS)
        secret = request.app.state.settings.service_secret
        session.check_form(request, secret, str(form.get("form", "")))
        request.state.form = form
    return await _page_request(request, form)


async def _page_request(request: Request, form: FormData) -> PageRequest:
    caller, unknown = None, False
    try:
        async with asyncio.timeout(allowed(_KNOW_SECONDS)):
            caller = await _caller(request)
    except (OwnerAway, PyMongoError, TimeoutError):
        unknown = True
    return PageRequest(request, _language(request), caller, form, unknown=unknown)


def _language(request: Request) -> Language:
    return language_of(
        request.query_params.get("lang", ""),
        session.cookie(request, session.LANGUAGE),
        request.headers.get("accept-language", ""),
    )


async def _caller(request: Request) -> Caller | None:
    token = session.access_token(request)
    verifier: Verifier = request.app.state.verifier
    try:
        caller = await verifier.caller(token) if token else None
        return caller if caller is None or caller.scopes is None else None
    except Unauthenticated:
        if getattr(request.state, session.NOT_RENEWED, False):
            raise OwnerAway("accounts") from None
        return None


Anyone = Annotated[PageRequest, Depends(_visit)]
"""Any visitor, logged in or not."""


async def _logged_in(request: Anyone) -> Caller:
    if request.unknown:
        raise OwnerAway("accounts")
    if request.caller is None:
        raise LogInFirst
    return request.caller


LoggedIn = Annotated[Caller, Depends(_logged_in)]
"""The caller of a logged-in visitor of any role."""


def _signed_in(right: Right) -> Any:
    async def check(request: Anyone, caller: LoggedIn) -> PageRequest:
        if right not in caller.rights:
            raise Forbidden
        return request

    return Depends(check)


PatronRequest = Annotated[PageRequest, _signed_in("own-account")]
"""A page request of a logged-in patron."""
PersonRequest = Annotated[PageRequest, _signed_in("own-pin")]
"""A page request of a logged-in patron or of somebody of the staff."""
DeskRequest = Annotated[PageRequest, _signed_in("desk")]
"""A page request of a logged-in librarian."""
TracerRequest = Annotated[PageRequest, _signed_in("trace")]
"""A page request of a logged-in contact tracer."""
OverseerRequest = Annotated[PageRequest, _signed_in("operate")]
"""A page request of a logged-in operator."""
AdministratorRequest = Annotated[PageRequest, _signed_in("manage-staff")]
"""A page request of a logged-in administrator or operator."""


async def _today(request: Anyone, now: BusinessTime) -> Any:
    return library_day(now, request.zone)


Today = Annotated[Any, Depends(_today)]
"""The library day of the request."""
