"""What accounts has now, as its events would tell it: for a view that is built anew."""

from collections.abc import Mapping

from services.accounts import store
from services.accounts.usecases.choose_preferences import Setting
from services.accounts.usecases.choose_preferences import tell as preferences_event
from services.accounts.usecases.tell_of_patron import snapshot
from shared.contracts.accounts import PatronSnapshot
from shared.http import Snapshot, Told
from shared.mongo import Database


async def patrons(db: Database, after: str) -> Told:
    """Every patron, tombstones included."""
    found, more = await store.find_patrons_after(db, after)
    return [snapshot(PatronSnapshot, patron) for patron in found], more


async def preferences(db: Database, after: str) -> Told:
    """What was chosen; not the defaults of those who have chosen nothing."""
    found, more = await store.find_preferences_after(db, after)
    languages = await store.find_languages(db, [chosen.id for chosen in found])
    settings = [
        Setting(chosen, chosen.language or languages[chosen.id])
        for chosen in found
        if chosen.id in languages
    ]
    return [preferences_event(setting) for setting in settings], more


SNAPSHOTS: Mapping[str, Snapshot] = {"patrons": patrons, "preferences": preferences}
