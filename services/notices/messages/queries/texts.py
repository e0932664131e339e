"""Notifications as text, in the wording of staff or as built in, and samples of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from services.notices.branches import store as branches_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.fields import cursor, position
from services.notices.kinds.kind import Kind, Known, kind_of
from services.notices.language import Language, language_of
from services.notices.messages import store
from services.notices.messages.refusals import NoSuchNotification
from services.notices.messages.rules import BUILT_IN, Texts, filled, placeholders_in
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import DEFAULT_LANGUAGE, Facts, Notification
from services.notices.patrons.store import Activity
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.translations import marked
from shared.unit_of_work import Run

SUBJECT = marked("Your library account: {title}")
SUBJECT_WITHOUT_TITLE = marked("News in your library account")
REFERENCE = "sample"
"""Id and code of everything that sample facts refer to."""
TITLE = "Jane Eyre"
_STARTS_AT = datetime(2021, 3, 12, 11, tzinfo=UTC)
_DAY = date(2021, 3, 5)
_PREVIOUS_DAY = date(2021, 2, 19)
_NAMED: Mapping[str, Any] = MappingProxyType(
    {
        "payment_id": "01781138-2c10-7d49-8f3a-1b6e0d5c7a24",
        "season": "2021 Examinations",
        "venue": "Lecture theatre",
        "previous_venue": "Extension Activities Room",
        "changed": True,
        "charge_kind": None,
        **dict.fromkeys(("other_charges", "other_titles", "due", "parts")),
        **dict.fromkeys(("price_cents", "processing_cents", "fine_cents")),
        "previous_begins_at": datetime(2021, 3, 10, 11, tzinfo=UTC),
        "refund_due_cents": 600,
        "resumes_on": date(2021, 3, 12),
        "version": None,
        "volume": None,
    }
)
"""Facts whose type does not say enough."""
_NO_PLACEHOLDERS = {
    *("branches", "charge_kind", "in_cash", "merged_into", "parts", "turn", "version", "volume"),
    *("other_charges", "other_titles", "due", "price_cents", "processing_cents", "fine_cents"),
}


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


def sample_known(zone: ZoneInfo) -> Known:
    """Return the names of what sample facts refer to."""
    return Known(
        titles={REFERENCE: TITLE},
        activities={REFERENCE: Activity(REFERENCE, 1, "A Walk in Old Maps", _STARTS_AT)},
        branches={REFERENCE: "City Hall Public Library"},
        enquiries={REFERENCE: "Old maps of the harbour"},
        zone=zone,
    )


def sample_of(kind: type[Kind]) -> Kind:
    """Return sample facts of a kind, with a value for each placeholder."""
    types = get_type_hints(kind)
    return kind(**{one.name: _value(one.name, types[one.name]) for one in fields(kind)})


def sample_for(kind: type[Kind], text: str | None) -> Kind:
    """Return sample facts for a text of staff: those that it must name apply if it does."""
    unnamed = set() if text is None else kind.must_name - placeholders_in(text)
    left_out = [one.name for one in fields(kind) if one.name.removesuffix("_cents") in unnamed]
    return replace(sample_of(kind), **dict.fromkeys(left_out))


def placeholders_of(kind: type[Kind], zone: ZoneInfo, language: Language) -> list[str]:
    """Return the placeholders that the texts of a kind may have, sorted."""
    sample = sample_of(kind)
    types = get_type_hints(kind)
    names = {
        one.name.removesuffix("_cents")
        for one in fields(kind)
        if not one.name.endswith("_id")
        and one.name not in _NO_PLACEHOLDERS
        and bool not in (types[one.name], *get_args(types[one.name]))
    }
    return sorted({*names, *sample.names(sample_known(zone), language)})


def _value(name: str, declared: Any) -> Any:
    if name in _NAMED:
        return _NAMED[name]
    optional = type(None) in get_args(declared)
    found = next((one for one in get_args(declared) if one is not type(None)), declared)
    found = declared if get_origin(declared) is Literal else found
    if get_origin(found) is Literal:
        return get_args(found)[0]
    if found is bool:
        return None if optional else False
    if found is int:
        return 1200 if name.endswith("_cents") else 2
    if found is datetime:
        return _STARTS_AT
    if found is date:
        return _PREVIOUS_DAY if name.startswith("previous_") else _DAY
    return REFERENCE if found is str else (REFERENCE,)


async def trial_of(
    db: Database,
    kind: type[Kind],
    language: str,
    texts: Texts,
    zone: ZoneInfo,
    *,
    patron_id: str | None = None,
    notification_id: str | None = None,
) -> Message:
    """Return a message with these texts: of a stored notification, or with sample facts.

    Of a patron it is the newest notification of the kind, if there is one. Raises
    NoSuchNotification if `notification_id` is no notification of the kind.
    """
    topics = [event.topic for event in kind.events]
    stored: Notification | None = None
    if notification_id is not None:
        stored = await patrons_store.find_notification(db, notification_id)
        if stored is None or kind_of(stored.kind) is not kind:
            raise NoSuchNotification
    elif patron_id is not None:
        stored = await patrons_store.find_newest(db, patron_id, topics)
    if stored is None:
        facts, known = [sample_for(kind, texts.text).stored], sample_known(zone)
    else:
        facts = [stored.about, *stored.also]
        known = await known_of(db, facts, language, zone)
    title = title_of(facts[0], known)
    spoken = language_of(language)
    return message_of(topics[0], facts, known, spoken, title=title, texts=texts)
