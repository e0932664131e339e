"""The gateway's API as the page calls it: the same routes as over the wire, in this process.

So access, deadlines, problems and own writes are those of every other client.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import orjson
from fastapi import Request
from starlette.types import Message

from shared.tracing import traceparent

READ_SECONDS = 1.3
"""What a page waits for each thing that it shows: it has 1.6 s itself, and reads them together."""

_CARRIED = ("host", "carrel-time", "accept-language", "user-agent", "x-forwarded-for")


class Failure(Exception):
    """An answer that is a problem (RFC 9457), for who can't go on without what was asked."""

    def __init__(self, status: int, code: str, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.detail, self.errors = status, code, detail, errors

    @property
    def fields(self) -> list[str]:
        """The fields that are not as they should be; "body" stands for all of them together."""
        paths = [str(one.get("field", "")).split(".") for one in self.errors]
        return list(dict.fromkeys(next(p for p in path[::-1] if not p.isdigit()) for path in paths))


@dataclass(frozen=True)
class Reply:
    """What a route answered."""

    status: int
    content: bytes

    @property
    def done(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 400

    def json(self) -> Any:
        """The answer. Raises Failure if it is a problem."""
        if not self.done:
            raise self.failure()
        return orjson.loads(self.content) if self.content else None

    def failure(self) -> Failure:
        """The problem that it is."""
        try:
            told = orjson.loads(self.content)
        except ValueError:
            told = {}
        return Failure(
            self.status,
            str(told.get("code", "internal")),
            str(told.get("detail", "")),
            told.get("errors") or [],
        )


_TOO_SLOW = Reply(503, orjson.dumps({"code": "unavailable", "status": 503}))


class Api:
    """Calls routes of this app for the visitor whose request is being answered."""

    def __init__(self, request: Request, token: str | None) -> None:
        self._request = request
        self._token = token

    async def get(self, path: str, **query: str) -> Reply:
        """What a route shows; a 503 if that takes too long for a page."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._call("GET", path, urlencode(query))
        except TimeoutError:
            return _TOO_SLOW

    async def send(
        self, method: str, path: str, body: Any = None, *, key: str = "", **query: str
    ) -> Reply:
        """What came of a command; the same `key` again gives the first answer again."""
        return await self._call(method, path, urlencode(query), body, key)

    async def _call(
        self, method: str, path: str, query: str, body: Any = None, key: str = ""
    ) -> Reply:
        sent = b"" if body is None else orjson.dumps(body)
        more = {"idempotency-key": key} if key else {}
        if sent:
            more |= {"content-type": "application/json", "content-length": str(len(sent))}
        scope = self.scope(method, path, query, more=more)
        return await _answered(self._request.app, scope, sent)

    def scope(
        self, method: str, path: str, query: str = "", *, more: Mapping[str, str]
    ) -> dict[str, Any]:
        """A request of the visitor's to a route of the API; `more` are its own headers."""
        headers = self._headers() | dict(more)
        return {
            **{name: self._request.scope.get(name) for name in ("scheme", "client", "server")},
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

    def _headers(self) -> dict[str, str]:
        came = self._request.headers
        headers: dict[str, str] = {name: came[name] for name in _CARRIED if name in came}
        headers["x-request-id"] = self._request.scope["carrel.request_id"]
        headers["traceparent"] = traceparent()
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        return headers


async def _answered(app: Any, scope: Mapping[str, Any], body: bytes) -> Reply:
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    status, chunks = 500, []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # the visitor's own request tells of a hang-up
        return messages.pop()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, b"".join(chunks))


def segment(text: str) -> str:
    """An id as a part of a path, whatever a visitor typed for one."""
    return quote(text, safe="")
