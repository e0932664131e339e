"""Snapshots of accounts' current state, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.accounts.cardholders import store as cardholders_store
from services.accounts.family import store as family_store
from services.accounts.family.events import link_event
from services.accounts.patrons.events import patron_fields
from services.accounts.preferences import store as preferences_store
from services.accounts.preferences.events import preferences_event
from services.accounts.preferences.rules import Setting
from shared.contracts.accounts import LinkSnapshot, PatronSnapshot
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def patrons(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all patrons, tombstones included."""
    found, more = await cardholders_store.find_patrons(db, query)
    return [patron_fields(PatronSnapshot, patron) for patron in found], more


async def preferences(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the preferences that patrons have chosen, without unchanged defaults."""
    found, more = await preferences_store.find_chosen_preferences(db, query)
    languages = await cardholders_store.find_languages(db, [chosen.id for chosen in found])
    settings = [
        Setting(chosen, chosen.language or languages[chosen.id])
        for chosen in found
        if chosen.id in languages
    ]
    return [preferences_event(setting) for setting in settings], more


async def links(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the links of cards, each from the side of one patron."""
    found, more = await family_store.find_page(db, query)
    return [link_event(LinkSnapshot, link) for link in found], more


OF_PATRONS: Mapping[str, Snapshot] = {
    "patrons": patrons,
    "preferences": preferences,
    "links": links,
}
