"""Queries about enquiries: a patron's own, the queues of the staff, and one with its messages."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.notices import store
from services.notices.domain.enquiry import Enquiry, Message
from services.notices.domain.enquiry_refusals import NoSuchEnquiry
from services.notices.domain.search import words_of
from services.notices.queries.cursors import cursor, position
from shared.auth import Caller
from shared.http.paging import Page, page_of
from shared.mongo import Database

FIGURE_DAYS = 30
AGES = (1, 3, 7)
"""Ages in days at which waiting questions are counted apart."""
Queue = Literal["new", "mine", "assigned", "waiting", "answered", "closed", "open", "all"]
NEWEST_FIRST: Sequence[Queue] = ("answered", "closed", "all")


@dataclass(frozen=True)
class QueueQuery:
    """A selection of a queue; fields that are None or empty select nothing."""

    queue: Queue
    """`mine` has those that `staff_id` works on, `open` those not closed; others are states."""
    staff_id: str
    branch: str | None = None
    """Only those for the staff of this branch, or for anyone."""
    patron_id: str | None = None
    same_reader: str | None = None
    """Only those of the patron or guest who asked this enquiry."""
    librarian: str = ""
    """The beginning of the name of the librarian who works on it."""
    text: str = ""
    """Words of the subject, of a message or of a note."""


async def page_of_patron(db: Database, patron_id: str, page: Page) -> dict[str, Any]:
    """Return a page of a patron's enquiries, the last changed first. Raises BadCursor."""
    where = {"patron_id": patron_id}
    found = await store.enquiries.find_where(
        db, where, position(page), page.limit + 1, newest_first=True
    )
    return page_of(found, page, _cursor)


async def page_of_queue(db: Database, query: QueueQuery, page: Page) -> dict[str, Any]:
    """Return a page of a queue: those that wait, the longest waiting first; others newest first.

    Raises BadCursor or NoSuchEnquiry.
    """
    where = await _selected(db, query)
    newest_first = query.queue in NEWEST_FIRST
    found = await store.enquiries.find_where(
        db, where, position(page), page.limit + 1, newest_first=newest_first
    )
    return page_of(found, page, _cursor)


async def _selected(db: Database, query: QueueQuery) -> dict[str, Any]:
    """Return the conditions of a query. Raises NoSuchEnquiry."""
    where: dict[str, Any] = {}
    if query.queue == "mine":
        where |= {"state": "assigned", "librarian.id": query.staff_id}
    elif query.queue == "open":
        where["state"] = store.enquiries.OPEN
    elif query.queue != "all":
        where["state"] = query.queue
    if query.branch is not None:
        where["branch"] = {"$in": [query.branch, None]}
    if query.patron_id is not None:
        where["patron_id"] = query.patron_id
    if query.same_reader is not None:
        asked = await store.enquiries.find_one(db, query.same_reader)
        if asked is None:
            raise NoSuchEnquiry
        where |= {"guest": asked.guest} if asked.guest else {"patron_id": asked.patron_id}
    if name := query.librarian.strip():
        where["librarian.name"] = {"$regex": f"^{re.escape(name)}", "$options": "i"}
    if query.text.strip():
        words = words_of(query.text)
        ids = await store.enquiries.find_with_words(db, words) if words else []
        where["_id"] = {"$in": ids}
    return where


@dataclass(frozen=True)
class Thread:
    """An enquiry with its messages."""

    enquiry: Enquiry
    messages: Sequence[Message]
    merged: Mapping[str, str]
    """Subjects of the enquiries that were merged into it, by id."""
    title: str | None
    """Name of the title that it is about; None: of none, or not known."""


async def thread_of(db: Database, enquiry_id: str, caller: Caller) -> Thread:
    """Return an enquiry with its messages; notes for staff only. Raises NoSuchEnquiry."""
    enquiry = await store.enquiries.find_one(db, enquiry_id)
    of_staff = "staff" in caller.roles
    if enquiry is None or not (of_staff or enquiry.patron_id == caller.id):
        raise NoSuchEnquiry
    return await whole_thread(db, enquiry, notes=of_staff)


async def whole_thread(db: Database, enquiry: Enquiry, *, notes: bool) -> Thread:
    """Return an enquiry with its messages, with the notes if asked for."""
    named = [] if enquiry.title_id is None else [enquiry.title_id]
    messages, merged, titles = await asyncio.gather(
        store.enquiries.find_messages(db, enquiry.id, notes=notes),
        store.enquiries.find_merged(db, enquiry.id),
        store.titles.find_names(db, named),
    )
    return Thread(enquiry, messages, merged, titles.get(enquiry.title_id or ""))


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
