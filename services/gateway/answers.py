"""Answers to `GET /v1/me` that may still be right, as the bytes that were sent.

A view has a stamp, which each change of it replaces, and so has what all accounts are shown by.
Whether an answer of before is right is asked of the database each time, by these stamps alone: so
it is right at once at every replica, and the view itself is neither read nor put into words again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.store import Stamps

MOST_BYTES = 64 * 2**20
"""Of the bodies that a process keeps."""
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
"""Headers of what is one patron's own."""


@dataclass(frozen=True)
class Answer:
    """What a patron was shown, and what it depends on."""

    body: bytes
    name: str
    """Of the patron, as their token says it."""
    live: Mapping[str, bool]
    day: date
    """In the library's zone: what is past its due date changes at midnight."""
    stamps: Stamps
    waiting: Mapping[str, dict[str, Any]]
    """What has a position in a queue, which changes without the view."""
    positions: Mapping[str, int]
    tag: str = field(init=False)
    """Its ETag."""

    def __post_init__(self) -> None:
        """The tag is the body's digest."""
        tag = f'W/"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        object.__setattr__(self, "tag", tag)

    def to(self, request: Request) -> Response:
        """As an answer to a request: none again where it is what the caller has."""
        headers = {**PRIVATE, "ETag": self.tag}
        if _has(request.headers.get("if-none-match", ""), self.tag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type="application/json")

    def may_hold(self, name: str, live: Mapping[str, bool], day: date) -> bool:
        """Whether it is right as long as the stamps and the positions are as they were."""
        return self.name == name and self.live == live and self.day == day


def _has(if_none_match: str, tag: str) -> bool:
    tags = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


class Answers:
    """The answers that were given last, by patron, as many as MOST_BYTES hold."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Answer] = OrderedDict()

    def get(self, patron_id: str) -> Answer | None:
        """The patron's last answer, if it is kept."""
        answer = self._kept.get(patron_id)
        if answer is not None:
            self._kept.move_to_end(patron_id)
        return answer

    def keep(self, patron_id: str, answer: Answer) -> None:
        """Keep an answer in the place of the last; the longest unused make room for it."""
        self.drop(patron_id)
        self._kept[patron_id] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, patron_id: str) -> None:
        """Forget a patron's answer."""
        dropped = self._kept.pop(patron_id, None)
        if dropped is not None:
            self._bytes -= len(dropped.body)
