"""One call of a method: who calls, in which language, with which fields; and how it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.paia.answers import ACCEPTED_SCOPES, SCOPES, language_for, text_of
from services.gateway.web import ways_out
from services.gateway.web.api import Api, Failure, site_of
from services.gateway.web.languages import Language
from services.gateway.web.session import is_utf8
from shared.auth import Caller, Unauthenticated, Verifier, token_of
from shared.clock import library_day
from shared.http.dependencies import business_time
from shared.http.problems import METHOD_NOT_ALLOWED, problem
from shared.refusals import PlainProblem

LONGEST = 300
"""Number of characters of a field."""
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50


@dataclass(frozen=True)
class Call:
    """A call of a method."""

    http: Request
    api: Api
    """The gateway's routes, with the caller's token."""
    language: Language
    patron_id: str
    """Id of the patron whose token was sent; "" without one."""
    now: datetime
    fields: Mapping[str, Any] = field(repr=False)

    @property
    def today(self) -> date:
        """The library day of the call."""
        return library_day(self.now, self.http.app.state.settings.zone)

    @property
    def site(self) -> str:
        """Address of the library's pages, without a slash at the end."""
        return site_of(self.http)

    def text(self, name: str) -> str:
        """Return a field of the body; "" if it is missing. Raises Failure for anything else."""
        value = self.fields.get(name) or ""
        if not isinstance(value, str) or len(value) > LONGEST:
            raise Failure(422, "malformed")
        return value

    def reason(self, refused: Failure, goal: str = "") -> str:
        """Return why something was refused and, with a goal, the ways out, for the patron."""
        why = text_of(self.language, refused.code, refused.status)
        if not goal:
            return why
        names = self.api.last_names
        return f"{why} {ways_out.sentence(self.language, refused.ways_out, goal, names)}".strip()

    async def rows(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return the first 200 rows of a list of the API."""
        found = (await self.api.get(path, limit="200", **query)).json()
        return list(found["items"])


@dataclass(frozen=True)
class Method:
    """A method: the function that answers a call, and the scopes of which its token needs one."""

    act: Callable[[Call], Awaitable[Any]]
    scopes: tuple[str, ...] = ()
    needs_token: bool = True


async def answer(methods: Mapping[str, Method], request: Request) -> Response:
    """Answer a request to an address with these methods, by HTTP verb."""
    verbs = ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])
    headers = {"Allow": verbs, "Access-Control-Allow-Methods": verbs}
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization, Accept-Language"
        return Response(headers=headers)
    method = methods.get(request.method)
    if method is None:
        return problem(METHOD_NOT_ALLOWED, "", headers=headers)
    headers = {ACCEPTED_SCOPES: " ".join(method.scopes)} if method.scopes else {}
    try:
        caller = await _caller(request) if method.needs_token else None
        if caller is not None:
            headers[SCOPES] = " ".join(sorted(caller.scopes or ()))
            if request.path_params.get("patron", caller.id) != caller.id:
                raise Failure(404, "not-found")
            if method.scopes and not {*method.scopes} & (caller.scopes or frozenset()):
                raise Failure(403, "no-scope")
        language, now = language_for(request), business_time(request)
        api = Api(request, caller.token if caller else None, language.code)
        patron_id, fields = caller.id if caller else "", await _fields(request)
        result = await method.act(Call(request, api, language, patron_id, now, fields))
    except Failure as failure:
        return problem(PlainProblem(failure.code, failure.status), "", headers=headers)
    if isinstance(result, Response):
        return result
    content = b"" if result is None else orjson.dumps(result)
    return Response(content, 200 if content else 204, headers)


def sent_token(request: Request) -> str:
    """Return the token of a request, from its header or its query; "" without one."""
    return token_of(request) or request.query_params.get("access_token", "")


async def _caller(request: Request) -> Caller:
    """Return the caller by a token with scopes. Raises Failure; or OwnerAway if nobody knows."""
    verifier: Verifier = request.app.state.verifier
    try:
        caller = await verifier.caller(sent_token(request))
    except Unauthenticated:
        raise Failure(401, "unauthenticated") from None
    if caller.scopes is None:
        raise Failure(401, "unauthenticated")
    return caller


async def _fields(request: Request) -> Mapping[str, Any]:
    """Return the fields of the body, JSON or a form. Raises Failure."""
    body = await request.body()
    if not body or request.method not in ("POST", "PATCH"):
        return {}
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in ("application/json", _FORM) or not is_utf8(given):
        raise Failure(400, "not-json")
    try:
        if kind == _FORM:
            return dict(parse_qsl(body.decode(), True, max_num_fields=_MOST_FIELDS))
        fields = orjson.loads(body)
    except ValueError:
        raise Failure(400, "not-json") from None
    if not isinstance(fields, dict):
        raise Failure(422, "malformed")
    return fields
