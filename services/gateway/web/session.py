"""Who visits: the token in a cookie, forms that only our own pages can send, short messages.

Nothing is kept here between two requests, so any replica answers the next one.
"""

import base64
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import Request, Response

SESSION = "carrel_session"
GUEST = "carrel_guest"
SAID = "carrel_said"
LANGUAGE = "carrel_language"

_SAID_SECONDS = 60
_LANGUAGE_SECONDS = 365 * 24 * 3600
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ForgedForm(Exception):
    """A form that was not sent from a page of ours, or from one of another session."""


@dataclass(frozen=True)
class Said:
    """What the next page tells of the last command: a message's code and its facts."""

    code: str
    facts: dict[str, Any]
    went_well: bool = True


def cookie(request: Request, name: str) -> str:
    """The value of a cookie of ours, or ""."""
    return request.cookies.get(_full(request, name), "")


def keep(
    request: Request, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Set a cookie of ours, for as long as the browser is open unless `seconds` are given.

    Lax, not Strict: a link in a notification's e-mail has to find its reader logged in, and what a
    link can reach changes nothing. Secure, but on loopback, where there is no TLS.
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
    """Take a cookie of ours away."""
    keep(request, response, name, "", seconds=0)


def keep_language(request: Request, response: Response, code: str) -> None:
    """Remember the language of this browser."""
    keep(request, response, LANGUAGE, code, seconds=_LANGUAGE_SECONDS)


# ---- forms --------------------------------------------------------------------------------------


def bound_to(request: Request) -> str:
    """What this browser's forms are bound to: its session, or a guest's cookie; "": neither."""
    return cookie(request, SESSION) or cookie(request, GUEST)


def new_guest() -> str:
    """A value for the cookie of a visitor who has not logged in."""
    return secrets.token_urlsafe(24)


def form_token(secret: str, binding: str) -> str:
    """What a form has to bring back. Another each time, so that compression tells nothing of it."""
    salt = secrets.token_urlsafe(9)
    return f"{salt}.{_digest(secret, 'form', salt, binding)}"


def check_form(request: Request, secret: str, token: str) -> None:
    """Raises ForgedForm unless the form came from one of our pages in this session."""
    salt, _, digest = token.partition(".")
    binding = bound_to(request)
    ours = _digest(secret, "form", salt, binding)
    if not binding or not hmac.compare_digest(ours.encode(), digest.encode()):
        raise ForgedForm
    check_origin(request)


def check_origin(request: Request) -> None:
    """Raises ForgedForm if the browser says that another site sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise ForgedForm
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForgedForm


# ---- messages -----------------------------------------------------------------------------------


def say(request: Request, response: Response, secret: str, said: Sequence[Said]) -> None:
    """Let the next page show these messages, once."""
    body = orjson.dumps([[one.code, one.facts, one.went_well] for one in said])
    text = base64.urlsafe_b64encode(zlib.compress(body)).decode()
    digest = _digest(secret, "said", text)
    keep(request, response, SAID, f"{text}.{digest}", seconds=_SAID_SECONDS)


def heard(request: Request, secret: str) -> list[Said]:
    """The messages for this page; none that we have not written ourselves."""
    text, _, digest = cookie(request, SAID).partition(".")
    ours = _digest(secret, "said", text)
    if not text or not hmac.compare_digest(ours.encode(), digest.encode()):
        return []
    return [Said(*one) for one in orjson.loads(zlib.decompress(base64.urlsafe_b64decode(text)))]


# ---- within -------------------------------------------------------------------------------------


def own_path(target: str) -> str:
    """`target` if it is a path of this site, else "/": a link must not lead elsewhere after log-in.

    A browser reads `\\` as `/` and leaves out tabs and line ends, so any of those is refused.
    """
    plain = target.isascii() and target.isprintable() and "\\" not in target and " " not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


def _full(request: Request, name: str) -> str:
    # With this prefix a browser takes the cookie from this very host only, and over TLS only.
    return name if _on_loopback(request) else f"__Host-{name}"


def _on_loopback(request: Request) -> bool:
    return request.url.hostname in _LOOPBACK


def _digest(secret: str, *parts: str) -> str:
    # One key for each use: a service's secret must not turn up as another's digest.
    key = hashlib.sha256(f"page\n{secret}".encode()).digest()
    return hmac.new(key, "\n".join(parts).encode(), "sha256").hexdigest()[:43]
