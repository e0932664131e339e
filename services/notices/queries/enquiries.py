"""Queries about enquiries: a patron's own, the queues of the staff, and one with its messages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.notices import store
from services.notices.domain.enquiry import Enquiry, Message
from services.notices.domain.refusals import NoSuchEnquiry
from services.notices.queries.cursors import cursor, position
from shared.auth import Caller, may_see
from shared.http.paging import Page, page_of
from shared.mongo import Database

FIGURE_DAYS = 30
AGES = (1, 3, 7)
"""Ages in days at which waiting questions are counted apart."""
Queue = Literal["new", "mine", "assigned", "waiting", "answered", "closed"]
NEWEST_FIRST: Sequence[Queue] = ("answered", "closed")


async def page_of_patron(db: Database, patron_id: str, page: Page) -> dict[str, Any]:
    """Return a page of a patron's enquiries, the last changed first. Raises BadCursor."""
    where = {"patron_id": patron_id}
    found = await store.enquiries.find_where(
        db, where, position(page), page.limit + 1, newest_first=True
    )
    return page_of(found, page, _cursor)


async def page_of_queue(
    db: Database, queue: Queue, branch: str | None, staff_id: str, page: Page
) -> dict[str, Any]:
    """Return a page of a queue: those that wait, the longest waiting first; others newest first.

    `mine` has those that the caller works on. With `branch`, those for its staff or for anyone.
    Raises BadCursor.
    """
    where: dict[str, Any] = {"state": queue}
    if queue == "mine":
        where = {"state": "assigned", "librarian.id": staff_id}
    if branch is not None:
        where["branch"] = {"$in": [branch, None]}
    found = await store.enquiries.find_where(
        db, where, position(page), page.limit + 1, newest_first=queue in NEWEST_FIRST
    )
    return page_of(found, page, _cursor)


async def enquiry_with_messages(
    db: Database, enquiry_id: str, caller: Caller
) -> tuple[Enquiry, list[Message]]:
    """Return an enquiry with its messages; notes for staff only. Raises NoSuchEnquiry."""
    enquiry = await store.enquiries.find_one(db, enquiry_id)
    if enquiry is None or not may_see(caller, enquiry.patron_id):
        raise NoSuchEnquiry
    notes = "staff" in caller.roles
    return enquiry, await store.enquiries.find_messages(db, enquiry_id, notes=notes)


@dataclass(frozen=True)
class Figures:
    """Figures about the time to answers, and about what waits for one."""

    asked: int
    """Number of questions asked in the last FIGURE_DAYS days."""
    answered: int
    """Number of those that have an answer."""
    median_hours: float | None
    """Median time to the first answer in hours; None without an answer."""
    ninth_decile_hours: float | None
    """Nine of ten first answers came within this time, in hours."""
    waiting: Mapping[int | None, int]
    """Number of questions that wait for the library, by age: those of less than so many days, and
    with None the older ones."""


async def figures(db: Database, now: datetime) -> Figures:
    """Return the figures of the last FIGURE_DAYS days."""
    asked = await store.enquiries.find_times_since(db, now - timedelta(days=FIGURE_DAYS))
    hours = sorted(
        (answered_at - opened_at).total_seconds() / 3600
        for opened_at, answered_at in asked
        if answered_at
    )
    waiting: dict[int | None, int] = {}
    newer: datetime | None = None
    for days in (*AGES, None):
        older = None if days is None else now - timedelta(days=days)
        waiting[days] = await store.enquiries.count_unanswered(db, older, newer)
        newer = older
    return Figures(
        asked=len(asked),
        answered=len(hours),
        median_hours=_quantile(hours, 0.5),
        ninth_decile_hours=_quantile(hours, 0.9),
        waiting=waiting,
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the values do not exceed."""
    if not ordered:
        return None
    return round(ordered[math.ceil(share * len(ordered)) - 1], 1)


def _cursor(enquiry: Enquiry) -> str:
    return cursor(enquiry.changed_at, enquiry.id)
