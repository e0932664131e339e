"""A visit: one request of a browser with its sender and language, and the answering page."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pymongo.errors import PyMongoError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from services.gateway.web import files, session, words
from services.gateway.web.api import Api, Reply, segment
from services.gateway.web.languages import LANGUAGES, Language, language_of
from services.gateway.web.menus import OPEN_PAGES, PATRON_PAGES, pages_of
from services.gateway.web.session import FlashMessage, own_path
from services.gateway.web.words import PROBLEMS
from shared.auth import Caller, Forbidden, Unauthenticated, Verifier
from shared.clock import library_day
from shared.deadlines import allowed
from shared.http.dependencies import BusinessTime
from shared.ids import new_id
from shared.owners import OwnerAway
from shared.rights import Right

MAX_FIELDS = 300
LONGEST_DESCRIPTION = 160
"""Characters of a page's description, of which search engines show no more."""
_NONE = Dependant()
"""Parameters of a response that no route has made."""
SECRET_FIELDS = frozenset(
    {"pin", "new_pin", "repeated_pin", "reset_code", "factor_code", "address_code"}
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
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class LogInFirst(Exception):
    """The page requires log-in."""


@dataclass(frozen=True)
class Visit:
    """One request of a browser."""

    request: Request
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
        return Api(self.request, token, self.language.code)

    @property
    def zone(self) -> ZoneInfo:
        """The library's time zone."""
        zone: ZoneInfo = self.request.app.state.settings.zone
        return zone

    @property
    def most_files(self) -> int:
        """Number of files that a form may send."""
        return MOST_FILES

    @property
    def largest_file_mb(self) -> int:
        """Size of the largest file that a form may send, in megabytes."""
        return int(self.request.app.state.settings.attachment_bytes // 1024**2)

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

    def page(self, template: str, *, status: int = 200, **shown: Any) -> Response:
        """Return a page, with the messages of the last command.

        A page that page.js fetches to refresh an account leaves them to the next page, and leaves
        the language of the browser as it is.
        """
        context = _Context(self, again=status == 503)
        refreshes = "carrel-refresh" in self.request.headers
        messages = [] if refreshes else session.read_messages(self.request, self.secret)
        html = (
            _ENVIRONMENTS[self.language.code]
            .get_template(template)
            .render(page=context, visit=self, language=self.language, messages=messages, **shown)
        )
        response = HTMLResponse(html, status, HEADERS | {"Content-Language": self.language.code})
        if status in (429, 503):
            response.headers["Retry-After"] = "2"
        if context.new_guest:
            session.keep(self.request, response, session.GUEST, context.new_guest)
        if messages:
            session.drop(self.request, response, session.MESSAGES)
        return response if refreshes else self._remember(response)

    def go(self, path: str, *messages: FlashMessage) -> Response:
        """Redirect the browser to a page of ours, with messages about the command."""
        response = RedirectResponse(path, 303, HEADERS)
        if messages:
            session.show_next(self.request, response, self.secret, messages)
        return self._remember(response)

    def refusal(self, reply: Reply) -> FlashMessage:
        """Return the message for a refused command, for the next page."""
        code = reply.failure().code
        return FlashMessage(code if code in PROBLEMS else "malformed", {}, went_well=False)

    def refused(self, path: str, reply: Reply) -> Response:
        """Redirect the browser with the reason of a refusal; raise any other problem."""
        if reply.status not in (409, 422):
            raise reply.failure()
        return self.go(path, self.refusal(reply))

    @property
    def secret(self) -> str:
        """The secret that the services share; a key from it signs cookies and forms."""
        return str(self.request.app.state.settings.service_secret)

    def _remember(self, response: Response) -> Response:
        if self.request.query_params.get("lang") == self.language.code:
            session.keep_language(self.request, response, self.language.code)
        return response


class _Context:
    """Values that every template gets beside its own."""

    def __init__(self, visit: Visit, *, again: bool) -> None:
        self._visit = visit
        self._again = again
        self.new_guest = ""

    @property
    def here(self) -> str:
        """The path of this page."""
        return self._visit.request.url.path

    @property
    def pages(self) -> list[Sequence[tuple[str, str]]]:
        """Links for this visitor: their own pages, and those open to everyone."""
        caller = self._visit.caller
        own = pages_of(caller.roles) if caller else ()
        if self._visit.unknown:
            own = PATRON_PAGES[:1]
        return [pages for pages in (own, OPEN_PAGES) if pages]

    @property
    def languages(self) -> list[tuple[Language, str]]:
        """Each language with this page's address in it; `//other.example` would be another site.

        Only the parameters that the page has are repeated: others could be somebody's guesses.
        """
        request = self._visit.request
        path = own_path(quote(request.url.path)) if request.method == "GET" else "/"
        route = request.scope.get("route")
        known = {one.alias for one in getattr(route, "dependant", _NONE).query_params}
        query = {name: text for name, text in request.query_params.items() if name in known}
        return [
            (language, f"{path}?{urlencode({**query, 'lang': code})}")
            for code, language in LANGUAGES.items()
        ]

    def fields(self, *, keyed: bool = False) -> Markup:
        """Return the hidden fields of a form; `keyed` adds an Idempotency-Key.

        If nobody knows whether the command was executed, the form to send again has the same key.
        """
        fields = _HIDDEN.format("form", self._form_token())
        key = (self._visit.key if self._again else "") or new_id()
        return fields + _HIDDEN.format("key", key) if keyed else fields

    def _form_token(self) -> str:
        caller = self._visit.caller
        # After a log-in the request has no cookie of the session yet.
        own = caller.session_id or caller.token if caller else ""
        binding = own or session.bound_to(self._visit.request) or self.new_guest
        if not binding:
            binding = self.new_guest = session.new_guest()
        return session.form_token(self._visit.secret, binding)


_HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')


def _message(language: Language, message: FlashMessage) -> str:
    """Return the text of a message, with facts in the language's formats."""
    text = words.MESSAGES.get(message.code) or PROBLEMS[message.code]
    facts = {name: _fact(language, name, fact) for name, fact in message.facts.items()}
    return language.say(text) % facts


def _fact(language: Language, name: str, fact: Any) -> str:
    if name.endswith("_on"):
        return language.day(fact)
    if name.endswith("_cents"):
        return language.money(fact)
    return language.say(PROBLEMS.get(fact, words.ANY_PROBLEM)) if name == "problem" else str(fact)


def _brief(text: str) -> str:
    """Return the beginning of a text on one line, as search engines show it."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_DESCRIPTION else f"{line[: LONGEST_DESCRIPTION - 1]}…"


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "address": files.address,
        "words": words,
    }
    environment.filters |= {
        "brief": _brief,
        "day": language.day,
        "money": language.money,
        "moment": language.moment,
        "say": language.say,
        "short_day": language.short_day,
        "message": partial(_message, language),
        "written": language.written,
    }
    return environment


_ENVIRONMENTS: Mapping[str, Environment] = {
    code: _environment(language) for code, language in LANGUAGES.items()
}


# ---- dependencies of routes ---------------------------------------------------------------------


async def visit_after(request: Request) -> Visit:
    """Return the visit for a page about a problem, with what is known of it by then."""
    return await _visit_with(request, getattr(request.state, "form", FormData()))


async def _visit(request: Request) -> Visit:
    form = FormData()
    if request.method == "POST":
        if not _is_utf8(request.headers.get("content-type", "")):
            raise HTTPException(400, "A form is sent in UTF-8.")
        form = await request.form(max_files=_FILES_READ, max_fields=MAX_FIELDS)
        secret = request.app.state.settings.service_secret
        session.check_form(request, secret, str(form.get("form", "")))
        request.state.form = form
    return await _visit_with(request, form)


def _is_utf8(content_type: str) -> bool:
    """Return whether a form names no other charset than UTF-8, the one of browsers.

    Python has charsets that fail for every text, or that give texts which no UTF-8 can hold.
    """
    parameters = [one.partition("=") for one in content_type.lower().split(";")]
    return all(
        value.strip(' "') in ("utf-8", "utf8")
        for name, _, value in parameters
        if name.strip().startswith("charset")
    )


async def _visit_with(request: Request, form: FormData) -> Visit:
    caller, unknown = None, False
    try:
        async with asyncio.timeout(allowed(_KNOW_SECONDS)):
            caller = await _caller(request)
    except (OwnerAway, PyMongoError, TimeoutError):
        unknown = True
    return Visit(request, _language(request), caller, form, unknown=unknown)


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
        return await verifier.caller(token) if token else None
    except Unauthenticated:
        if getattr(request.state, session.NOT_RENEWED, False):
            raise OwnerAway("accounts") from None
        return None


Anyone = Annotated[Visit, Depends(_visit)]
"""Any visitor, logged in or not."""


async def _logged_in(visit: Anyone) -> Caller:
    if visit.unknown:
        raise OwnerAway("accounts")
    if visit.caller is None:
        raise LogInFirst
    return visit.caller


LoggedIn = Annotated[Caller, Depends(_logged_in)]
"""The caller of a logged-in visitor of any role."""


def _signed_in(right: Right) -> Any:
    async def check(visit: Anyone, caller: LoggedIn) -> Visit:
        if right not in caller.rights:
            raise Forbidden
        return visit

    return Depends(check)


PatronVisit = Annotated[Visit, _signed_in("own-account")]
"""The visit of a logged-in patron."""
PersonVisit = Annotated[Visit, _signed_in("own-pin")]
"""The visit of a logged-in patron or of somebody of the staff."""
DeskVisit = Annotated[Visit, _signed_in("desk")]
"""The visit of a logged-in librarian."""
TracerVisit = Annotated[Visit, _signed_in("trace")]
"""The visit of a logged-in contact tracer."""
OverseerVisit = Annotated[Visit, _signed_in("operate")]
"""The visit of a logged-in operator."""
AdministratorVisit = Annotated[Visit, _signed_in("manage-staff")]
"""The visit of a logged-in administrator or operator."""


async def _today(visit: Anyone, now: BusinessTime) -> Any:
    return library_day(now, visit.zone)


Today = Annotated[Any, Depends(_today)]
"""The library day of the visit."""
