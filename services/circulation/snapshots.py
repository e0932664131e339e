"""Snapshots of circulation's current state, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.circulation import queries, store
from services.circulation.usecases.events import (
    charge_events,
    hold_events,
    loan_events,
    suspension_events,
    title_events,
)
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def titles(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all titles with their copies."""
    found, more = await store.titles.find_page(db, query)
    copies = await store.titles.find_copies(db, [title.id for title in found])
    return [title_events.catalogued(title, copies[title.id]) for title in found], more


async def loans(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the open loans."""
    found, more = await store.loans.find_open(db, query)
    return [loan_events.snapshot(loan) for loan in found], more


async def holds(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the open holds."""
    found, more = await store.holds.find_open(db, query)
    return [hold_events.snapshot(hold) for hold in found], more


async def charges(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the charges with an unpaid amount or a refund due."""
    found, more = await store.charges.find_unpaid(db, query)
    titles = await queries.titles_of_charges(db, found)
    return [charge_events.snapshot(one, titles.get(one.id)) for one in found], more


async def suspensions(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all fine suspensions."""
    found, more = await store.suspensions.find_page(db, query)
    return [suspension_events.snapshot(each) for each in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"loans": loans, "holds": holds, "charges": charges}
OF_ALL: Mapping[str, Snapshot] = {"titles": titles, "suspensions": suspensions}
