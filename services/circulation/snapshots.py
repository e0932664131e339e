"""What circulation has now, as its events would tell it: for a view that is built, or checked."""

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
from shared.mongo import Database, Part


async def titles(db: Database, part: Part) -> Told:
    """Every title with its copies."""
    found, more = await store.titles.find_part(db, part)
    copies = await store.titles.find_copies(db, [title.id for title in found])
    return [catalogued(title, copies[title.id]) for title in found], more


async def loans(db: Database, part: Part) -> Told:
    """The loans that are open."""
    found, more = await store.loans.find_open(db, part)
    return [LoanSnapshot(**loan_fields(loan)) for loan in found], more


async def holds(db: Database, part: Part) -> Told:
    """The holds that are open."""
    found, more = await store.holds.find_open(db, part)
    return [HoldSnapshot(**hold_fields(hold)) for hold in found], more


async def charges(db: Database, part: Part) -> Told:
    """The charges of which something is unpaid, or due back."""
    found, more = await store.charges.find_unpaid(db, part)
    return [ChargeSnapshot(**charge_fields(charge)) for charge in found], more


async def suspensions(db: Database, part: Part) -> Told:
    """Every fine suspension."""
    found, more = await store.suspensions.find_part(db, part)
    return [suspension_snapshot(SuspensionSnapshot, each) for each in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"loans": loans, "holds": holds, "charges": charges}
OF_ALL: Mapping[str, Snapshot] = {"titles": titles, "suspensions": suspensions}
