"""Compute when a branch opens again, from all its closures together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Closed:
    """Consecutive days on which a branch is closed."""

    first: date
    reopened_on: date | None
    """First open day after them; None if no end is announced."""


def closed_days(closures: Iterable[Closed], day: date) -> Closed | None:
    """Return the first closed days with a reopening on `day` or later; None if there are none.

    Closures that overlap or adjoin count as one, because the branch does not open between them.
    """
    found: Closed | None = None
    for one in sorted(closures, key=lambda closed: closed.first):
        end = one.reopened_on
        if end is not None and (end <= one.first or end < day):
            continue
        if found is None:
            found = one
        elif found.reopened_on is not None and one.first <= found.reopened_on:
            found = Closed(found.first, end and max(found.reopened_on, end))
    return found
