"""What circulation has now, as its events would tell it: for a view that is built anew."""

from collections.abc import Mapping

from services.circulation import store
from services.circulation.usecases.post_to_ledger import snapshot as charge_fields
from services.circulation.usecases.tell_of_hold import snapshot as hold_fields
from services.circulation.usecases.tell_of_loan import snapshot as loan_fields
from services.circulation.usecases.tell_of_suspension import snapshot as suspension_snapshot
from services.circulation.usecases.tell_of_title import catalogued
from shared.contracts.circulation import (
    ChargeSnapshot,
    HoldSnapshot,
    LoanSnapshot,
    SuspensionSnapshot,
)
from shared.http import Snapshot, Told
from shared.mongo import Database


async def titles(db: Database, after: str) -> Told:
    """Every title with its copies."""
    found, more = await store.titles.find_after(db, after)
    copies = await store.titles.find_copies(db, [title.id for title in found])
    return [catalogued(title, copies[title.id]) for title in found], more


async def loans(db: Database, after: str) -> Told:
    """The loans that are open."""
    found, more = await store.loans.find_open_after(db, after)
    return [LoanSnapshot(**loan_fields(loan)) for loan in found], more


async def holds(db: Database, after: str) -> Told:
    """The holds that are open."""
    found, more = await store.holds.find_open_after(db, after)
    return [HoldSnapshot(**hold_fields(hold)) for hold in found], more


async def charges(db: Database, after: str) -> Told:
    """The charges of which something is unpaid, or due back."""
    found, more = await store.charges.find_unpaid_after(db, after)
    return [ChargeSnapshot(**charge_fields(charge)) for charge in found], more


async def suspensions(db: Database, after: str) -> Told:
    """Every fine suspension."""
    found, more = await store.suspensions.find_after(db, after)
    return [suspension_snapshot(SuspensionSnapshot, each) for each in found], more


SNAPSHOTS: Mapping[str, Snapshot] = {
    "titles": titles,
    "loans": loans,
    "holds": holds,
    "charges": charges,
    "suspensions": suspensions,
}
