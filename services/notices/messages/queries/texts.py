"""Notifications as text: in the wording of staff where there is one, else as built in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from services.notices.branches import store as branches_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.fields import cursor, position
from services.notices.kinds.kind import Kind, Known, kind_of
from services.notices.language import Language, language_of
from services.notices.messages import store
from services.notices.messages.rules import BUILT_IN, Texts, filled, placeholders_in
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import DEFAULT_LANGUAGE, Facts, Notification
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.translations import marked
from shared.unit_of_work import Run

SUBJECT = marked("Your library account: {title}")
SUBJECT_WITHOUT_TITLE = marked("News in your library account")


@dataclass(frozen=True)
class Message:
    """A notification as text."""

    subject: str
    """Subject of its e-mail; one line."""
    paragraphs: Sequence[str]


def message_of(
    topic: str,
    facts: Sequence[Facts],
    known: Known,
    language: Language,
    *,
    title: str | None,
    texts: Texts = BUILT_IN,
) -> Message:
    """Return a notification as text: one text for each of its sets of facts, in order.

    A part of `texts` with a placeholder that has no value is left out, or the built-in one is used.
    Facts about which `texts` would mislead have none of its parts. The subject and the paragraphs
    around the text are about the first facts.
    """
    kind = kind_of(topic)
    found = [kind.from_stored(one) for one in facts]
    bodies = [
        filled(_fitting(texts, one).text, one.values(known, language))
        or [one.text(known, language)]
        for one in found
    ]
    values = found[0].values(known, language)
    texts = _fitting(texts, found[0])
    body = [line for lines in bodies for line in lines]
    if all(len(lines) == 1 for lines in bodies):
        body = [language.space.join(body)]
    subject = " ".join(filled(texts.subject, values) or [_subject(title, language)])
    return Message(
        # A title may have any characters; a header must be one line.
        subject=" ".join(subject.split())[:200],
        paragraphs=[
            *(filled(texts.opening, values) or ()),
            *body,
            *(filled(texts.closing, values) or ()),
        ],
    )


def _fitting(texts: Texts, facts: Kind) -> Texts:
    """Return the texts, or the built-in ones if the texts do not say what is the case."""
    applies = {name.removesuffix("_cents") for name in facts.stored} & facts.must_name
    named = applies if texts.text is None else placeholders_in(texts.text)
    return texts if facts.is_usual and applies <= named else BUILT_IN


def _subject(title: str | None, language: Language) -> str:
    if title is None:
        return language.say(SUBJECT_WITHOUT_TITLE)
    return language.say(SUBJECT).format(title=title)


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
    found = await patrons_store.find_inbox(db, patron_id, after, page.limit + 1)
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
    patron = await patrons_store.find_one(db, patron_id)
    code = patron.speaks if patron else DEFAULT_LANGUAGE
    language = language_of(code)
    kinds = {kind_of(one.kind).code() for one in found}
    wordings = await store.find_texts(db, kinds, code)
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


async def as_it_is(notification: Notification, run: Run) -> Notification | None:
    """Return the notification with its facts as they are now; None if none of them is true.

    Other services may be asked.
    """
    kind = kind_of(notification.kind)
    facts = [
        await kind.from_stored(one).current(run) for one in (notification.about, *notification.also)
    ]
    true = [one.stored for one in facts if one is not None]
    return replace(notification, about=true[0], also=tuple(true[1:])) if true else None


async def known_of(
    db: Database, all_facts: Sequence[Facts], language: str, zone: ZoneInfo
) -> Known:
    """Return the names that these facts refer to, those of branches in a language."""
    codes = {code for facts in all_facts for code in facts.get("branches") or ()}
    codes |= _values("branch", all_facts)
    title_ids = {one for facts in all_facts for one in facts.get("other_titles") or ()}
    title_ids |= _values("title_id", all_facts)
    return Known(
        titles=await patrons_store.find_names(db, title_ids),
        activities=await patrons_store.find_activities(db, _values("activity_id", all_facts)),
        branches=await branches_store.find_names(db, codes, language),
        enquiries=await enquiries_store.find_subjects(db, _values("enquiry_id", all_facts)),
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
