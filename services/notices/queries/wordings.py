"""Queries about wordings: a trial of one, with stored or with sample facts."""

from zoneinfo import ZoneInfo

from services.notices import store
from services.notices.domain.notification import Notification
from services.notices.domain.refusals import NoSuchNotification
from services.notices.domain.wording import Texts
from services.notices.kinds.kind import Kind, kind_of
from services.notices.kinds.language import language_of
from services.notices.kinds.samples import sample_for, sample_known
from services.notices.kinds.wording import Message, message_of
from services.notices.queries.notifications import known_of, title_of
from shared.mongo import Database


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
    told: Notification | None = None
    if notification_id is not None:
        told = await store.notifications.find_one(db, notification_id)
        if told is None or kind_of(told.kind) is not kind:
            raise NoSuchNotification
    elif patron_id is not None:
        told = await store.notifications.find_newest(db, patron_id, topics)
    if told is None:
        facts, known = [sample_for(kind, texts.text).stored], sample_known(zone)
    else:
        facts = [told.about, *told.also]
        known = await known_of(db, facts, language, zone)
    title = title_of(facts[0], known)
    spoken = language_of(language)
    return message_of(topics[0], facts, known, spoken, title=title, texts=texts)
