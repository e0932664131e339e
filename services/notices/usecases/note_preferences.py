"""Record a version of a patron's preferences."""

from services.notices import store
from services.notices.domain import patron as rules
from services.notices.domain.notification import whole_milliseconds
from services.notices.domain.patron import Patron, Preferences
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


async def note_preferences(work: Work, event: PreferencesChanged) -> None:
    """Store this version with its business time, among the patron's latest ones."""
    known = await store.patrons.get(work, event.patron_id)
    patron = known or Patron(event.patron_id, version=0)
    noted = rules.prefers(
        patron,
        Preferences(
            version=event.version,
            at=whole_milliseconds(work.now),
            branches=event.followed_branches,
            activity_types=event.activity_types,
            language=event.language,
        ),
    )
    if noted is not patron:
        await store.patrons.save(work, noted)
