"""The audit of loans: copies, loans and the counts of patrons agree."""

from collections import Counter

from ops.audit.findings import Audit
from shared.mongo import Database


async def check_erasures(result: Audit, accounts: Database, store: Database) -> None:
    """Check that erased patrons have no loans or debts, and only they have closed borrowing."""
    erased = {one["_id"] async for one in accounts.patrons.find({"status": "erased"}, {"_id": 1})}
    begun = {one["_id"] async for one in accounts.erasures.find({}, {"_id": 1})}
    async for borrower in store.borrowers.find({}):
        patron = borrower["_id"]
        result.expect(
            patron not in erased or not (borrower["open_loans"] or borrower["outstanding_cents"]),
            f"patron {patron} was erased with open loans or charges",
        )
        result.expect(
            not borrower.get("closed") or patron in erased | begun,
            f"patron {patron} can't borrow, although nobody erases them",
        )


async def check_copies_and_limits(result: Audit, store: Database) -> None:
    """Check that each copy on loan has one open loan, and that each patron's counts are right."""
    open_by_copy: Counter[str] = Counter()
    open_by_patron: Counter[str] = Counter()
    async for loan in store.loans.find({"state": "open"}):
        result.counts["open loans"] += 1
        open_by_copy[loan["copy_id"]] += 1
        open_by_patron[loan["patron_id"]] += 1
    for copy, count in open_by_copy.items():
        result.expect(count == 1, f"copy {copy} has {count} open loans", doubled=count - 1)
    async for copy in store.copies.find({}):
        result.counts["copies"] += 1
        out = copy["state"] == "on-loan"
        result.expect(
            out == (copy["_id"] in open_by_copy),
            f"copy {copy['barcode']} is {copy['state']}: {open_by_copy[copy['_id']]} open loans",
            lost=1,
        )
    owed: Counter[str] = Counter()
    async for charge in store.charges.find({}):
        owed[charge["patron_id"]] += charge["outstanding_cents"]
    counted = {borrower["_id"]: borrower async for borrower in store.borrowers.find({})}
    for patron in {*open_by_patron, *owed, *counted}:
        borrower = counted.get(patron, {"open_loans": 0, "outstanding_cents": 0})
        found = (borrower["open_loans"], borrower["outstanding_cents"])
        true = (open_by_patron[patron], owed[patron])
        result.expect(
            found == true, f"patron {patron} has a count of {found}, but {true} are right"
        )
