"""Calls of the page to the gateway's API: the same routes as over the wire, in this process.

So the page has the same access, deadlines, problems and own writes as every other client.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from fastapi import Request
from starlette.types import Message

from shared.deadlines import allowed
from shared.tracing import trace_headers

READ_SECONDS = 1.3
"""Time limit of each read for a page. A page itself has 1.6 s, and makes its reads together."""

LISTS = ("sessions", "rooms", "series", "identifiers")
"""Lists of the API that forms have as one field, a line for each item."""
OF_A_PAGE = "carrel.of_a_page"
"""Entry in the scope of a request that a page makes."""
_TOO_LONG = re.compile(r"[A-Z][a-z]+ should have at most ")
"""Messages about texts and lists that are longer than the API takes."""
_CARRIED = ("host", "carrel-time", "accept-language", "user-agent", "x-forwarded-for")


class Failure(Exception):
    """A response that is a problem (RFC 9457), raised where the page needs the data."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        errors: Sequence[dict[str, Any]] = (),
        ways_out: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.detail, self.errors = status, code, detail, errors
        self.ways_out = ways_out

    @property
    def fields(self) -> list[str]:
        """Return the names of the invalid fields; "body" means all of them together.

        A part of a session or a room has the name of their list, which is one field of the forms.
        """
        return list(dict.fromkeys(map(_field_of, self.errors)))

    @property
    def too_long(self) -> set[str]:
        """Return the names of the fields whose text or list is too long."""
        messages = ((one, str(one.get("message", ""))) for one in self.errors)
        return {_field_of(one) for one, message in messages if _TOO_LONG.match(message)}

    def invalid_places(self, name: str) -> list[int]:
        """Return the places in a list, from 0, of the values that are invalid."""
        paths = (str(one.get("field", "")).split(".") for one in self.errors)
        return [int(path[-1]) for path in paths if path[-2:-1] == [name] and path[-1].isdigit()]


def missing(field: str) -> Failure:
    """Return the refusal of a form without a value that is part of a route's path."""
    return Failure(422, "malformed", errors=[{"field": field}])


def _field_of(error: Mapping[str, Any]) -> str:
    path = str(error.get("field", "")).split(".")
    listed = next((name for name in path if name in LISTS), None)
    return listed or next(name for name in path[::-1] if not name.isdigit())


@dataclass(frozen=True)
class Reply:
    """A route's answer."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers, with names in small letters."""

    @property
    def done(self) -> bool:
        """Return whether the request succeeded."""
        return self.status < 400

    def json(self) -> Any:
        """Return the parsed answer. Raises Failure if it is a problem."""
        self.succeed()
        return orjson.loads(self.content) if self.content else None

    def json_or(self, other: Any) -> Any:
        """Return the parsed answer, or `other` if it is a problem that the page can do without."""
        return self.json() if self.done else other

    @property
    def items(self) -> list[Any]:
        """The items of a list that the page can do without; empty if it is a problem."""
        return list(self.json_or({"items": ()})["items"])

    def succeed(self) -> None:
        """Raise Failure unless the request succeeded."""
        if not self.done:
            raise self.failure()

    def refusal(self, *statuses: int) -> Failure:
        """Return a problem that the visitor can correct, by its status.

        Raises any other, and the refusal of a caller without the right.
        """
        failure = self.failure()
        if failure.status not in statuses or failure.code == "forbidden":
            raise failure
        return failure

    def failure(self) -> Failure:
        """Return the response's problem."""
        try:
            members = orjson.loads(self.content)
        except ValueError:
            members = {}
        return Failure(
            self.status,
            str(members.get("code", "internal")),
            str(members.get("detail", "")),
            members.get("errors") or [],
            members.get("ways_out") or [],
        )


_TOO_SLOW = Reply(503, orjson.dumps({"code": "unavailable", "status": 503}))


class Api:
    """Calls routes of this app for the visitor whose request is being answered."""

    def __init__(self, request: Request, token: str | None, language: str) -> None:
        self._request = request
        self._token = token
        self.language = language
        """Code of the language of the page."""

    @property
    def last_names(self) -> dict[str, str]:
        """Names of the libraries in this language, by code, as this process last read them."""
        names: dict[str, dict[str, str]] = self._request.app.state.branch_names
        return names.setdefault(self.language, {})

    async def get(self, path: str, **query: str | Sequence[str]) -> Reply:
        """Return a route's response; a 503 if it takes too long for a page."""
        try:
            async with asyncio.timeout(allowed(READ_SECONDS)):
                return await self._call("GET", path, urlencode(query, doseq=True))
        except TimeoutError:
            return _TOO_SLOW

    async def send(
        self, method: str, path: str, body: Any = None, *, key: str = "", **query: str
    ) -> Reply:
        """Send a command and return its response; a repeated `key` gives the first one again."""
        return await self._call(method, path, urlencode(query), body, key)

    async def upload(self, path: str, content: bytes, *, key: str = "", **query: str) -> Reply:
        """Send a file and return the answer; a repeated `key` gives the first answer again."""
        kind = "application/octet-stream"
        return await self._call("POST", path, urlencode(query), content, key, kind=kind)

    async def _call(
        self,
        method: str,
        path: str,
        query: str,
        body: Any = None,
        key: str = "",
        *,
        kind: str = "application/json",
    ) -> Reply:
        sent = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        more = {"idempotency-key": key} if key else {}
        if sent:
            more |= {"content-type": kind, "content-length": str(len(sent))}
        scope = self.scope(method, path, query, more=more)
        return await answered(self._request.app, scope, sent)

    def scope(
        self, method: str, path: str, query: str = "", *, more: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the scope of a visitor's request to an API route; `more` adds headers."""
        return scope_of(self._request.scope, method, path, query, self._headers() | dict(more)) | {
            OF_A_PAGE: True
        }

    def _headers(self) -> dict[str, str]:
        came = self._request.headers
        headers: dict[str, str] = {name: came[name] for name in _CARRIED if name in came}
        headers["x-request-id"] = self._request.scope["carrel.request_id"]
        headers |= trace_headers()
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return headers


def scope_of(
    client: Mapping[str, Any], method: str, path: str, query: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Return the scope of a call to a route of this app; `client` has scheme, client and server."""
    return {
        **{name: client.get(name) for name in ("scheme", "client", "server")},
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.encode(), value.encode("latin-1")) for name, value in headers.items() if value
        ],
    }


async def answered(app: Any, scope: Mapping[str, Any], body: bytes) -> Reply:
    """Return the answer of this app to a call, whose body is sent whole."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    status, chunks = 500, []
    headers: dict[str, str] = {}

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # a hang-up arrives with the visitor's own request
        return messages.pop()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            pairs = message["headers"]
            headers.update((name.decode().lower(), one.decode("latin-1")) for name, one in pairs)
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, b"".join(chunks), headers)


def segment(text: str) -> str:
    """Return an id, as typed by a visitor, as a safe segment of a path."""
    return quote(text, safe="")


def site_of(http: Request) -> str:
    """Return the address of the library's pages, without a slash at its end."""
    public: str = http.app.state.settings.public_url
    return public or str(http.base_url).rstrip("/")
