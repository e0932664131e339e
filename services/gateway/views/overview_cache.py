"""Cache answers to `GET /v1/me` as bytes, and check them by stamps.

Each change of a view replaces its stamp. The data that all accounts share has a stamp too. Before a
cached response is sent, only these stamps and the queue positions are read from the database. So an
answer is up to date at every replica, and an unchanged view is neither read nor serialized again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.views.store.reads import Stamps
from shared.http.conditional import has_tag, tag_of

OVERVIEW = "/v1/me"
"""Path of the account overview."""
MOST_BYTES = 64 * 2**20
"""Maximum size of all cached bodies of a process, in bytes."""
PRIVATE = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
"""Headers of a response that is private to one patron."""


@dataclass(frozen=True)
class Answer:
    """A cached response, and all that its validity depends on."""

    body: bytes
    name: str
    """Name of the patron, from their token."""
    live: Mapping[str, bool]
    day: date
    """Day in the library's time zone: the loans past their due date change at midnight."""
    stamps: Stamps
    waiting: Mapping[str, dict[str, Any]]
    """Waiting holds and registrations. Their positions change without a change of the view."""
    positions: Mapping[str, int]
    tag: str = field(init=False)
    """ETag of the answer."""

    def __post_init__(self) -> None:
        """Derive the ETag from the body's digest."""
        object.__setattr__(self, "tag", tag_of(self.body))

    def to(self, request: Request) -> Response:
        """Return the response to a request: a 304 if the caller already has this answer."""
        headers = {**PRIVATE, "ETag": self.tag}
        if has_tag(request.headers.get("if-none-match", ""), self.tag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type="application/json")

    def may_hold(self, name: str, live: Mapping[str, bool], day: date) -> bool:
        """Return whether the response is valid, if stamps and positions are unchanged."""
        return self.name == name and self.live == live and self.day == day


class OverviewCache:
    """Cache of each patron's last response, limited to MOST_BYTES."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Answer] = OrderedDict()

    def get(self, patron_id: str) -> Answer | None:
        """Return the patron's last response, if it is cached."""
        answer = self._kept.get(patron_id)
        if answer is not None:
            self._kept.move_to_end(patron_id)
        return answer

    def keep(self, patron_id: str, answer: Answer) -> None:
        """Cache a response in place of the last one; evict the least recently used to make room."""
        self.drop(patron_id)
        self._kept[patron_id] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, patron_id: str) -> None:
        """Remove a patron's answer from the cache."""
        dropped = self._kept.pop(patron_id, None)
        if dropped is not None:
            self._bytes -= len(dropped.body)
