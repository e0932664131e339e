"""Queries about the notifications in a patron's inbox, with their texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from services.notices import store
from services.notices.domain.notification import Facts, Notification
from services.notices.domain.patron import DEFAULT_LANGUAGE
from services.notices.domain.wording import BUILT_IN
from services.notices.kinds.kind import Known, kind_of
from services.notices.kinds.language import language_of
from services.notices.kinds.wording import Message, message_of
from services.notices.queries.cursors import cursor, position
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.unit_of_work import Run


@dataclass(frozen=True)
class InboxItem:
    """A notification with its text."""

    notification: Notification
    title: str | None
    """Title of the book or activity, or the branch's name, if known."""
    message: Message
    space: str
    """Separates sentences in the language of the message."""

    @property
    def text(self) -> str:
        """The text as one paragraph."""
        return self.space.join(self.message.paragraphs)


async def page_of_inbox(db: Database, patron_id: str, page: Page, zone: ZoneInfo) -> dict[str, Any]:
    """Return a page of a patron's notifications, newest first, with texts. Raises BadCursor."""
    after = None
    if (start := position(page)) is not None:
        at, key = start
        happened, _, notification_id = key.rpartition("_")
        after = (at, happened, notification_id)
    found = await store.notifications.find_inbox(db, patron_id, after, page.limit + 1)
    return page_of(await with_texts(db, patron_id, found, zone), page, _cursor)


def _cursor(item: InboxItem) -> str:
    one = item.notification
    return cursor(one.at, f"{one.happened}_{one.id}")


async def with_texts(
    db: Database, patron_id: str, found: Sequence[Notification], zone: ZoneInfo
) -> list[InboxItem]:
    """Return notifications with their texts, in the patron's language and with the known titles.

    Times are in the library's time zone.
    """
    if not found:
        return []
    patron = await store.patrons.find_one(db, patron_id)
    code = patron.speaks if patron else DEFAULT_LANGUAGE
    language = language_of(code)
    kinds = {kind_of(one.kind).code() for one in found}
    wordings = await store.wordings.find_texts(db, kinds, code)
    all_facts = [facts for one in found for facts in (one.about, *one.also)]
    known = await known_of(db, all_facts, code, zone)
    items = []
    for one in found:
        title = title_of(one.about, known)
        texts = wordings.get(kind_of(one.kind).code(), BUILT_IN)
        facts = [one.about, *one.also]
        message = message_of(one.kind, facts, known, language, title=title, texts=texts)
        items.append(InboxItem(one, title, message, language.space))
    return items


async def as_it_is(told: Notification, run: Run) -> Notification | None:
    """Return the notification with its facts as they are now; None if none of them is true.

    Other services may be asked.
    """
    kind = kind_of(told.kind)
    facts = [await kind.from_stored(one).current(run) for one in (told.about, *told.also)]
    true = [one.stored for one in facts if one is not None]
    return replace(told, about=true[0], also=tuple(true[1:])) if true else None


async def known_of(
    db: Database, all_facts: Sequence[Facts], language: str, zone: ZoneInfo
) -> Known:
    """Return the names that these facts refer to, those of branches in a language."""
    codes = {code for facts in all_facts for code in facts.get("branches") or ()}
    codes |= _values("branch", all_facts)
    title_ids = {one for facts in all_facts for one in facts.get("other_titles") or ()}
    title_ids |= _values("title_id", all_facts)
    return Known(
        titles=await store.titles.find_names(db, title_ids),
        activities=await store.titles.find_activities(db, _values("activity_id", all_facts)),
        branches=await store.branches.find_names(db, codes, language),
        enquiries=await store.enquiries.find_subjects(db, _values("enquiry_id", all_facts)),
        zone=zone,
    )


def _values(name: str, all_facts: Sequence[Facts]) -> set[str]:
    return {value for facts in all_facts if (value := facts.get(name))}


def title_of(facts: Facts, known: Known) -> str | None:
    """Return the first known title of a book or an activity, or a branch's name or code."""
    activity = known.activities.get(facts.get("activity_id") or "")
    branch = facts.get("branch")
    return (
        known.titles.get(facts.get("title_id") or "")
        or (activity.name if activity else None)
        or known.branches.get(branch or "", branch)
    )
