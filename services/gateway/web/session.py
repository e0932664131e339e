"""Session cookies, protection of forms against forgery, and short messages.

Nothing is stored here between two requests, so any replica answers the next one.
"""

import base64
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import Request, Response

SESSION = "carrel_session"
GUEST = "carrel_guest"
DEVICE = "carrel_device"
PROVIDER = "carrel_provider"
"""Cookie of a log-in at the identity provider: a secret and the page that it leads to; then LEFT_BY
as long as the browser is open."""
LEFT_BY = "log-out"
"""Value of PROVIDER after a log-in there: whoever logs out is offered to log out there too."""
MESSAGES = "carrel_said"
LANGUAGE = "carrel_language"
PLACE = "carrel_place"
"""Cookie with the code of this desk's library."""
TILL = "carrel_till"
"""Cookie with the name of this desk's till, if its library has several."""

RENEWED = "renewed"
"""Name in the state of a request of the access token that was renewed for it."""
NOT_RENEWED = "not_renewed"
"""Name in the state of a request whose session could not be renewed, because accounts is away."""
_MESSAGES_SECONDS = 60
_MESSAGES_ROOM = 3_600
"""Maximum characters of messages: a browser keeps a cookie of about 4,000 bytes."""
_LANGUAGE_SECONDS = 365 * 24 * 3600
_DEVICE_SECONDS = 180 * 24 * 3600
LONGEST_DEVICE_TOKEN = 1000
"""Number of characters that accounts accepts; a longer cookie is not one of ours."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Tokens:
    """The tokens in the session cookie; empty if there are none."""

    access: str = field(repr=False)
    renewal: str = field(default="", repr=False)

    @property
    def cookie(self) -> str:
        """The value of the cookie: one for both, so that a browser never mixes two pairs."""
        return f"{self.access}~{self.renewal}" if self.renewal else self.access

    @property
    def claims(self) -> dict[str, Any]:
        """Claims of the access token, unverified; empty if it can't be read."""
        try:
            part = self.access.split(".")[1]
            claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (IndexError, ValueError):
            return {}
        return claims if isinstance(claims, dict) else {}


def tokens_in(value: str) -> Tokens:
    """Return the tokens in the value of a session cookie."""
    access, _, renewal = value.partition("~")
    return Tokens(access, renewal)


class ForgedForm(Exception):
    """A form that did not come from a page of ours in this session."""


class FormOfEndedSession(ForgedForm):
    """A form of a browser without a session: it may come from a page of an ended session."""


@dataclass(frozen=True)
class FlashMessage:
    """A message on the next page about the last command: its code and its facts."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    went_well: bool = True


def cookie(request: Request, name: str) -> str:
    """Return the value of a cookie of ours, or ""."""
    return request.cookies.get(_full(request, name), "")


def access_token(request: Request) -> str:
    """Return the visitor's access token: the one renewed for this request, else that of the cookie.

    Empty if there is none.
    """
    return getattr(request.state, RENEWED, "") or tokens_in(cookie(request, SESSION)).access


def keep(
    request: Request, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Set a cookie of ours, until the browser closes unless `seconds` are given.

    SameSite is Lax, not Strict: a patron who follows a link in an e-mail has to be logged in, and a
    GET changes nothing. Secure except on loopback, where there is no TLS.
    """
    response.set_cookie(
        _full(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=not _on_loopback(request),
        httponly=True,
        samesite="lax",
    )


def drop(request: Request, response: Response, name: str) -> None:
    """Delete a cookie of ours."""
    keep(request, response, name, "", seconds=0)


def end(request: Request, response: Response) -> None:
    """Delete the session's cookie, and clear the browser's cache of what was shown."""
    drop(request, response, SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'


def device(request: Request) -> str:
    """Return the token of this device; empty if the browser has none of ours."""
    kept = cookie(request, DEVICE)
    return kept if len(kept) <= LONGEST_DEVICE_TOKEN else ""


def keep_device(request: Request, response: Response, token: str) -> None:
    """Store the token of this device for the next log-in. Logging out keeps it."""
    keep(request, response, DEVICE, token, seconds=_DEVICE_SECONDS)


def keep_language(request: Request, response: Response, code: str) -> None:
    """Store the language in this browser."""
    keep(request, response, LANGUAGE, code, seconds=_LANGUAGE_SECONDS)


# ---- forms --------------------------------------------------------------------------------------


def bound_to(request: Request) -> str:
    """Return what binds this browser's forms: the session, else the cookie of a guest, else "".

    A session keeps its id when its tokens are renewed, and a form is bound to that.
    """
    tokens = tokens_in(cookie(request, SESSION))
    session_id = tokens.claims.get("sid")
    return str(session_id) if session_id else tokens.access or cookie(request, GUEST)


def new_guest() -> str:
    """Return a value for the cookie of a visitor who has not logged in."""
    return secrets.token_urlsafe(24)


def form_token(secret: str, binding: str) -> str:
    """Return a form's token, newly salted each time so that compression reveals nothing of it."""
    salt = secrets.token_urlsafe(9)
    return f"{salt}.{_digest(secret, 'form', salt, binding)}"


def is_utf8(content_type: str) -> bool:
    """Return whether a form names no other charset than UTF-8, the one of browsers.

    Python has charsets that fail for every text, or that give texts which no UTF-8 can hold.
    """
    parameters = [one.partition("=") for one in content_type.lower().split(";")]
    return all(
        value.strip(' "') in ("utf-8", "utf8")
        for name, _, value in parameters
        if name.strip().startswith("charset")
    )


def check_form(request: Request, secret: str, token: str) -> None:
    """Raise ForgedForm unless the form came from one of our pages in this session."""
    check_origin(request)
    salt, _, digest = token.partition(".")
    binding = bound_to(request)
    ours = _digest(secret, "form", salt, binding)
    if not binding or not hmac.compare_digest(ours.encode(), digest.encode()):
        raise ForgedForm if cookie(request, SESSION) or not digest else FormOfEndedSession


def check_origin(request: Request) -> None:
    """Raise ForgedForm if the browser says that another site sent this request."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise ForgedForm
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForgedForm


def browser_of(request: Request, secret: str) -> str:
    """Return a secret of this browser, derived from what binds its forms."""
    return _digest(secret, "browser", bound_to(request))


# ---- messages -----------------------------------------------------------------------------------


def show_next(
    request: Request, response: Response, secret: str, messages: Sequence[FlashMessage]
) -> None:
    """Show these messages once, on the next page.

    If they exceed the room of the cookie, the last one says how many more there are.
    """
    shown, left = list(messages), 0
    while len(text := _packed(shown, left)) > _MESSAGES_ROOM and len(shown) > 1:
        last = shown.pop()
        left += last.facts["count"] if last.code == "and-more" else 1
    digest = _digest(secret, "said", text)
    keep(request, response, MESSAGES, f"{text}.{digest}", seconds=_MESSAGES_SECONDS)


def _packed(messages: Sequence[FlashMessage], left: int) -> str:
    more = [FlashMessage("and-more", {"count": left})] if left else []
    body = orjson.dumps([[one.code, one.facts, one.went_well] for one in (*messages, *more)])
    return base64.urlsafe_b64encode(zlib.compress(body, 9)).decode()


def read_messages(request: Request, secret: str) -> list[FlashMessage]:
    """Return the messages for this page; none if their cookie was not written by us."""
    text, _, digest = cookie(request, MESSAGES).partition(".")
    ours = _digest(secret, "said", text)
    if not text or not hmac.compare_digest(ours.encode(), digest.encode()):
        return []
    return [
        FlashMessage(*one) for one in orjson.loads(zlib.decompress(base64.urlsafe_b64decode(text)))
    ]


# ---- helpers ------------------------------------------------------------------------------------


def own_path(target: str) -> str:
    """Return `target` if it is a path of this site, else "/", so that log-in leads nowhere else.

    A browser reads `\\` as `/` and leaves out tabs and line ends, so all of these are refused.
    """
    plain = target.isascii() and target.isprintable() and "\\" not in target and " " not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


def _full(request: Request, name: str) -> str:
    # With this prefix a browser accepts the cookie from this very host only, and over TLS only.
    return name if _on_loopback(request) else f"__Host-{name}"


def _on_loopback(request: Request) -> bool:
    # Behind a proxy nobody is on this machine, whatever host a request names.
    behind_a_proxy = bool(request.app.state.settings.trusted_proxies)
    return request.url.hostname in _LOOPBACK and not behind_a_proxy


def _digest(secret: str, *parts: str) -> str:
    # A key for this use alone, so that a digest made here is never valid elsewhere.
    key = hashlib.sha256(f"page\n{secret}".encode()).digest()
    return hmac.new(key, "\n".join(parts).encode(), "sha256").hexdigest()[:43]
