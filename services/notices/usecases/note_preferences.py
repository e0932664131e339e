"""Record a version of a patron's preferences."""

from services.notices import store
from services.notices.domain import patron as rules
from services.notices.domain.delivery import wants_email
from services.notices.domain.notification import whole_milliseconds
from services.notices.domain.patron import Patron, Preferences
from services.notices.usecases.notify_patron import queue_email
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


def note_preferences(work: Work, event: PreferencesChanged) -> None:
    """Store this version with its business time, among the patron's latest ones.

    If it chooses e-mail, notifications of events after it are queued, in any order of arrival.
    """
    known = store.patrons.get(work, event.patron_id)
    patron = known or Patron(event.patron_id, version=0)
    noted = rules.prefers(
        patron,
        Preferences(
            version=event.version,
            at=whole_milliseconds(work.now),
            branches=event.followed_branches,
            activity_types=event.activity_types,
            language=event.language,
            channels=event.channels,
            digest=event.digest,
        ),
    )
    if noted is patron:
        return
    store.patrons.save(work, noted)
    if wants_email(noted) and noted.preferences[-1].version == event.version:
        # Those that arrived before this choice, although they happened after it.
        for told in store.notifications.since(work, patron.id, whole_milliseconds(work.now)):
            queue_email(work, told)
