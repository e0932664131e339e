"""Reads of enquiries, of their files, and of what is behind a guest's link."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from services.notices.enquiries.refusals import NoSuchAttachment, NoSuchEnquiry, NoSuchGuestEnquiry
from services.notices.enquiries.rules.bank import words_of
from services.notices.enquiries.rules.enquiries import Attachment, Enquiry, Message
from services.notices.enquiries.rules.guests import Guest, check_usable
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.enquiries.store import guests as guests_store
from services.notices.fields import cursor, position
from services.notices.patrons import store as patrons_store
from shared.auth import Caller
from shared.http.paging import Page, page_of
from shared.mongo import Database, strings
from shared.refusals import or_refuse

FIGURE_DAYS = 30
AGES = (1, 3, 7)
"""Ages in days at which waiting questions are counted apart."""
Queue = Literal[
    "new", "mine", "assigned", "waiting", "answered", "closed", "open", "suggested", "all"
]
NEWEST_FIRST: Sequence[Queue] = ("answered", "closed", "all")


@dataclass(frozen=True)
class QueueQuery:
    """A selection of a queue; fields that are None or empty select nothing."""

    queue: Queue
    """`mine` has those that `staff_id` works on, `open` those not closed, `suggested` those of them
    that suggest a purchase; others are states."""
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
    found = await enquiries_store.find_where(
        db, where, position(page), page.limit + 1, newest_first=True
    )
    return page_of(found, page, _cursor)


async def page_of_queue(db: Database, query: QueueQuery, page: Page) -> dict[str, Any]:
    """Return a page of a queue: those that wait, the longest waiting first; others newest first.

    Raises BadCursor or NoSuchEnquiry.
    """
    where = await _selected(db, query)
    newest_first = query.queue in NEWEST_FIRST
    found = await enquiries_store.find_where(
        db, where, position(page), page.limit + 1, newest_first=newest_first
    )
    return page_of(found, page, _cursor)


async def _selected(db: Database, query: QueueQuery) -> dict[str, Any]:
    """Return the conditions of a query. Raises NoSuchEnquiry."""
    where: dict[str, Any] = {}
    if query.queue == "mine":
        where |= {"state": "assigned", "librarian.id": query.staff_id}
    elif query.queue == "open":
        where["state"] = enquiries_store.OPEN
    elif query.queue == "suggested":
        where |= {"state": enquiries_store.OPEN, "wanted": enquiries_store.SUGGESTED}
    elif query.queue != "all":
        where["state"] = query.queue
    if query.branch is not None:
        where["branch"] = {"$in": [query.branch, None]}
    if query.patron_id is not None:
        where["patron_id"] = query.patron_id
    if query.same_reader is not None:
        asked = or_refuse(await enquiries_store.find_one(db, query.same_reader), NoSuchEnquiry)
        where |= {"guest": strings(asked.guest)} if asked.guest else {"patron_id": asked.patron_id}
    if name := query.librarian.strip():
        where["librarian.name"] = {"$regex": f"^{re.escape(name)}", "$options": "i"}
    if query.text.strip():
        words = words_of(query.text)
        ids = await enquiries_store.find_with_words(db, words) if words else []
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
    enquiry = await enquiries_store.find_one(db, enquiry_id)
    of_staff = "staff" in caller.roles
    if enquiry is None or not (of_staff or enquiry.patron_id == caller.id):
        raise NoSuchEnquiry
    return await whole_thread(db, enquiry, notes=of_staff)


async def whole_thread(db: Database, enquiry: Enquiry, *, notes: bool) -> Thread:
    """Return an enquiry with its messages, with the notes if asked for."""
    named = [] if enquiry.title_id is None else [enquiry.title_id]
    messages, merged, titles = await asyncio.gather(
        enquiries_store.find_messages(db, enquiry.id, notes=notes),
        enquiries_store.find_merged(db, enquiry.id),
        patrons_store.find_names(db, named),
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
    asked = await enquiries_store.find_times_since(db, now - timedelta(days=FIGURE_DAYS))
    hours = sorted(
        (answered_at - opened_at).total_seconds() / 3600
        for opened_at, answered_at in asked
        if answered_at
    )
    waiting: dict[int | None, int] = {}
    newer: datetime | None = None
    for days in (*AGES, None):
        older = None if days is None else now - timedelta(days=days)
        waiting[days] = await enquiries_store.count_unanswered(db, older, newer)
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


async def attachment_with_content(
    db: Database, attachment_id: str, caller: Caller
) -> tuple[Attachment, bytes]:
    """Return an attachment and its content. Raises NoSuchAttachment.

    The patron of its enquiry and the staff may see it; before it is sent, its owner.
    """
    attachment = await attachments_store.find_one(db, attachment_id)
    if attachment is None or attachment.content_id is None:
        raise NoSuchAttachment
    sent = attachment.enquiry_id is not None
    theirs = "staff" in caller.roles or attachment.patron_id == caller.id
    if attachment.owner_id != caller.id and not (sent and theirs):
        raise NoSuchAttachment
    return attachment, await existing_content(db, attachment)


async def existing_content(db: Database, attachment: Attachment) -> bytes:
    """Return the content of an attachment. Raises NoSuchAttachment if it is deleted meanwhile."""
    return or_refuse(await attachments_store.find_content(db, attachment), NoSuchAttachment)


@dataclass(frozen=True)
class GuestThread:
    """A guest, and the enquiry with its messages once the address is confirmed."""

    guest: Guest
    thread: Thread | None


async def thread_of_guest(db: Database, guest_id: str, now: datetime) -> GuestThread:
    """Return a guest with the thread. Raises NoSuchGuestEnquiry."""
    guest = check_usable(await guests_store.find_one(db, guest_id), now)
    if guest.question is not None:
        return GuestThread(guest, None)
    enquiry = await enquiries_store.find_one(db, guest_id)
    if enquiry is None:  # deleted meanwhile
        raise NoSuchGuestEnquiry
    return GuestThread(guest, await whole_thread(db, enquiry, notes=False))


async def file_of_guest(
    db: Database, guest_id: str, attachment_id: str
) -> tuple[Attachment, bytes]:
    """Return a file of the guest's enquiry and its content. Raises NoSuchAttachment."""
    attachment = await attachments_store.find_one(db, attachment_id)
    if attachment is None or attachment.content_id is None or attachment.enquiry_id != guest_id:
        raise NoSuchAttachment
    return attachment, await existing_content(db, attachment)
