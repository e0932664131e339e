"""The form of all answers of PAIA and DAIA: headers, errors, JSONP, languages."""

import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.settings import Settings
from services.gateway.web import words
from services.gateway.web.languages import Language, language_of
from services.gateway.web.site import TEXTS

PAIA, AUTH, DAIA = "/paia/", "/paia/auth/", "/daia"
SCOPES, ACCEPTED_SCOPES = "X-OAuth-Scopes", "X-Accepted-OAuth-Scopes"
EXPOSED_HEADERS = (SCOPES, ACCEPTED_SCOPES)
_CALLBACK = re.compile(r"[A-Za-z0-9_]{1,100}")
_DENIED = {
    *("bad-credentials", "wrong-pin", "locked", "strangers-wait"),
    *("account-disabled", "code-needed", "wrong-code", "factor-required"),
}
"""Codes of problems with credentials: `access_denied`, status 403."""
_STATUSES = {409: 422, 415: 400, 429: 503}
"""Statuses of PAIA by others that it does not have."""
_ERRORS = {
    401: "invalid_grant",
    403: "insufficient_scope",
    404: "not_found",
    500: "internal_error",
    501: "not_implemented",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
"""Errors by status; all others are `invalid_request`."""


class Answers:
    """Middleware that gives answers of PAIA and DAIA, and problems there, their form."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._jsonp = settings.paia_jsonp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; pass others on."""
        if scope["type"] != "http" or not is_of_door(scope["path"]):
            await self._app(scope, receive, send)
            return
        answer = Response(status_code=500, media_type="application/problem+json")

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.raw_headers = list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        try:
            await self._app(scope, receive, keep)
        finally:
            self._form(Request(scope), answer)
            await answer(scope, receive, send)

    def _form(self, request: Request, answer: Response) -> None:
        path, headers, language = request.url.path, answer.headers, language_for(request)
        hides_status = "suppress_response_codes" in request.query_params
        if headers.get("content-type") == "application/problem+json":
            _make_error(answer, language, with_code=hides_status or not path.startswith(AUTH))
        callback = request.query_params.get("callback", "") if self._jsonp else ""
        if request.method == "OPTIONS":
            answer.body = b""
        if answer.body:
            headers["content-type"] = "application/json; charset=utf-8"
        if answer.body and _CALLBACK.fullmatch(callback):
            # The comment keeps a body from beginning with what the client chose (CVE-2014-4671).
            answer.body = b"".join((b"/**/", callback.encode(), b"(", answer.body, b");"))
            headers["content-type"] = "application/javascript; charset=utf-8"
            headers["cross-origin-resource-policy"] = "cross-origin"
        if path == DAIA:
            headers["x-daia-version"], headers["access-control-allow-origin"] = "1.0.0", "*"
        else:
            headers["x-paia-version"] = "1.4.0"
            headers["access-control-expose-headers"] = ", ".join(EXPOSED_HEADERS)
        headers["content-language"] = language.code
        answer.status_code = 200 if hides_status else answer.status_code
        if answer.status_code != 204:
            headers["content-length"] = str(len(answer.body))


def is_of_door(path: str) -> bool:
    """Return whether a path is one of PAIA or DAIA."""
    return path.startswith(PAIA) or path == DAIA


def language_for(request: Request) -> Language:
    """Return the language of the texts of an answer."""
    return language_of("", "", request.headers.get("accept-language", ""))


def text_of(language: Language, code: str, status: int) -> str:
    """Return the text of a problem in a language."""
    return language.say(words.PAIA.get(code) or TEXTS.of_problem(code, status))


def _make_error(answer: Response, language: Language, *, with_code: bool) -> None:
    """Turn a problem into an error of PAIA."""
    code = str(orjson.loads(answer.body or b"{}").get("code", "internal"))
    body: dict[str, Any] = {"error_description": text_of(language, code, answer.status_code)}
    status = 403 if code in _DENIED else _STATUSES.get(answer.status_code, answer.status_code)
    body["error"] = "access_denied" if code in _DENIED else _ERRORS.get(status, "invalid_request")
    if with_code:
        body["code"] = status
    answer.status_code, answer.body = status, orjson.dumps(body)
    answer.headers["www-authenticate"] = 'Bearer realm="Carrel"'
