"""Visits that are kept for contact tracing, the keys that seal them, and the looks at them.

The name and the telephone number of a visitor are kept sealed with a key of the day. The key is
destroyed with the visits of that day, so that a copy of the database can no longer be read.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from services.notices.domain.visit_refusals import BadSpan

KEPT_DAYS = 31
"""Number of days for which a visit is kept: its own day and the 30 days after it."""
LONGEST_LOOK = timedelta(hours=24)

Format = Literal["json", "csv"]


@dataclass(frozen=True)
class Visitor:
    """The details of a visitor; no log or trace contains them."""

    name: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True)
class Visit:
    """One person's visit to a branch."""

    id: str
    version: int
    branch: str
    day: date
    entered_at: datetime
    door: str
    sealed: bytes = field(repr=False)
    """The visitor, sealed with the key of the day."""
    recorded_at: datetime
    """Wall clock; the database deletes the visit KEPT_DAYS after it at the latest."""
    holder: str | None = field(default=None, repr=False)
    """Digest of the patron's id under the key of the day, to find it if the patron is erased."""
    left_at: datetime | None = None
    """None: still inside, or the branch closed without a sign that the visitor left."""


@dataclass(frozen=True)
class DayKey:
    """The key of one day, wrapped with the master key in the settings."""

    id: str
    """The day (ISO 8601)."""
    wrapped: bytes = field(repr=False)
    recorded_at: datetime


@dataclass(frozen=True)
class Venue:
    """The code on the poster at the doors of a branch, which opens its check-in page."""

    id: str
    """The branch code."""
    version: int
    code: str


@dataclass(frozen=True)
class Look:
    """One look at the visits of a branch; it is recorded before anything is shown."""

    id: str
    at: datetime
    by: str
    """Id of the account that looked."""
    name: str
    """Name of the account that looked."""
    branch: str
    start: datetime
    until: datetime
    case_number: str
    reason: str
    format: Format
    found: int
    """Number of visits shown."""


def last_destroyed(today: date) -> date:
    """Return the last day whose visits are no longer kept on `today`."""
    return today - timedelta(days=KEPT_DAYS)


def check_span(start: datetime, until: datetime) -> None:
    """Raise BadSpan unless a look at this span of time is possible."""
    if not start < until <= start + LONGEST_LOOK:
        raise BadSpan
