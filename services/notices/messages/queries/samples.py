"""Sample facts of each kind, for placeholders, previews and trials."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from services.notices.kinds.kind import Kind, Known, kind_of
from services.notices.language import Language, language_of
from services.notices.messages.queries.texts import Message, known_of, message_of, title_of
from services.notices.messages.refusals import NoSuchNotification
from services.notices.messages.rules import Texts, placeholders_in
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import Notification
from services.notices.patrons.store import Activity
from shared.mongo import Database

REFERENCE = "sample"
"""Id and code of everything that sample facts refer to."""
TITLE = "Jane Eyre"
_STARTS_AT = datetime(2021, 3, 12, 11, tzinfo=UTC)
_DAY = date(2021, 3, 5)
_PREVIOUS_DAY = date(2021, 2, 19)
_NAMED: Mapping[str, Any] = MappingProxyType(
    {
        "season": "2021 Examinations",
        "venue": "Lecture theatre",
        "previous_venue": "Extension Activities Room",
        "changed": True,
        "charge_kind": None,
        **dict.fromkeys(("other_charges", "other_titles")),
        **dict.fromkeys(("price_cents", "processing_cents", "fine_cents")),
        "previous_begins_at": datetime(2021, 3, 10, 11, tzinfo=UTC),
        "refund_due_cents": 600,
        "resumes_on": date(2021, 3, 12),
        "version": None,
    }
)
"""Facts whose type does not say enough."""
_NO_PLACEHOLDERS = {
    *("branches", "charge_kind", "merged_into", "turn", "version"),
    *("other_charges", "other_titles", "price_cents", "processing_cents", "fine_cents"),
}


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
