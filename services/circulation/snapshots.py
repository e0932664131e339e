"""Snapshots of circulation's current state, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import events as catalogue_events
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges import events as charges_events
from services.circulation.charges import store as charges_store
from services.circulation.holds import events as holds_events
from services.circulation.holds import store as holds_store
from services.circulation.loans import events as loans_events
from services.circulation.loans.store import loans as loans_store
from services.circulation.suspensions import events as suspensions_events
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def titles(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all titles with their copies."""
    found, more = await catalogue_store.find_page(db, query)
    copies = await catalogue_store.find_copies(db, [title.id for title in found])
    return [catalogue_events.catalogued(title, copies[title.id]) for title in found], more


async def loans(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the open loans."""
    found, more = await loans_store.find_open(db, query)
    return [loans_events.snapshot(loan) for loan in found], more


async def holds(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the open holds."""
    found, more = await holds_store.find_open(db, query)
    return [holds_events.snapshot(hold) for hold in found], more


async def charges(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the charges with an unpaid amount or a refund due."""
    found, more = await charges_store.find_unpaid(db, query)
    titles = await charges_store.find_titles_of(db, found)
    return [charges_events.snapshot(one, titles.get(one.id)) for one in found], more


async def suspensions(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all fine suspensions."""
    found, more = await calendars_store.find_suspension_page(db, query)
    return [suspensions_events.snapshot(each) for each in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"loans": loans, "holds": holds, "charges": charges}
OF_ALL: Mapping[str, Snapshot] = {"titles": titles, "suspensions": suspensions}
