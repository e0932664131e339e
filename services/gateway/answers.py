"""Answers to `GET /v1/me` that may still be right, as the bytes that were sent.

A view has a stamp, which each change of it replaces. Whether an answer of before is right is asked
of the database each time, by that stamp alone: so it is right at once at every replica, and the
view itself is neither read nor put into words again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.gateway.projection import open_loans, waiting_holds

MOST_BYTES = 64 * 2**20
"""Of the bodies that a process keeps."""
NEVER = "9999-12-31"


@dataclass(frozen=True)
class Answer:
    """What a patron was shown, and what it depends on."""

    body: bytes
    name: str
    """Of the patron, as their token says it."""
    live: Mapping[str, bool]
    stamp: object
    """Of the view; None where it has none, as that of a patron of whom nothing was heard."""
    last_day: str
    """The last day on which none of the loans is past its due date."""
    waiting: Mapping[str, Mapping[str, Any]]
    """The holds that have a position in a queue, which changes without the view."""
    positions: Mapping[str, int]
    tag: str = field(init=False)
    """Its ETag."""

    def __post_init__(self) -> None:
        """The tag is the body's digest."""
        tag = f'W/"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        object.__setattr__(self, "tag", tag)

    def may_hold(self, name: str, live: Mapping[str, bool], today: date) -> bool:
        """Whether it is right as long as the view and the positions are as they were."""
        return self.name == name and self.live == live and today.isoformat() <= self.last_day


def depends_on(view: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the answer of a view depends on, as fields of Answer."""
    days = [loan["due_on"] for loan in open_loans(view).values()]
    return {
        "stamp": (view or {}).get("stamp"),
        "last_day": min(days, default=NEVER),
        "waiting": waiting_holds(view),
    }


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
        self._drop(patron_id)
        self._kept[patron_id] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, patron_id: str) -> None:
        dropped = self._kept.pop(patron_id, None)
        if dropped is not None:
            self._bytes -= len(dropped.body)
