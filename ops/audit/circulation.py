"""The audit of circulation: money, holds, copies, loans and the counts of patrons agree."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from ops.audit.findings import Audit
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import OPEN_STATES, Hold, Target
from shared.clock import wall_clock
from shared.mongo import Database, Document, from_document


async def check_fines(result: Audit, store: Database) -> None:
    """Check that each fine is charged once for each due date, and matches its statement."""
    seen: Counter[tuple[str, str]] = Counter()
    async for charge in store.charges.find({"kind": "fine"}):
        result.counts["fines"] += 1
        statement = charge["statement"]
        seen[charge["loan_id"], str(statement["due_on"])] += 1
        total = sum(span["amount_cents"] for span in statement["spans"])
        result.expect(
            charge["amount_cents"] == statement["amount_cents"] == total,
            f"charge {charge['_id']} of {charge['amount_cents']} has a statement of {total}",
        )
    for (loan, due_on), count in seen.items():
        result.expect(
            count == 1, f"loan {loan} was charged {count} times for {due_on}", doubled=count - 1
        )


async def check_ledger(result: Audit, store: Database) -> None:
    """Check that the entries of each charge add up to the charge and belong to its patron."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    patrons: dict[str, set[str]] = defaultdict(set)
    async for entry in store.entries.find({}):
        result.counts["ledger entries"] += 1
        sums[entry["charge_id"]][entry["kind"]] += entry["amount_cents"]
        patrons[entry["charge_id"]].add(entry["patron_id"])
    charges = {charge["_id"]: charge async for charge in store.charges.find({})}
    for charge_id in {*charges, *sums}:
        charge, kinds = charges.get(charge_id), sums[charge_id]
        if charge is None:
            result.expect(False, f"charge {charge_id} has entries, but does not exist", lost=1)
            continue
        refunds = kinds["refund-due"] + kinds["refund"]
        found = {
            "amount_cents": kinds["charge"] + kinds["credit"] + kinds["refund-due"],
            "outstanding_cents": kinds.total() - refunds,
            "paid_cents": kinds["refund-due"] - kinds["payment"] - kinds["cancellation"],
            "waived_cents": -kinds["waiver"],
            "refund_due_cents": -refunds,
        }
        stated = {name: charge[name] for name in found}
        result.expect(
            found == stated and min(stated.values()) >= 0,
            f"charge {charge_id} has {stated}, its ledger {found}",
        )
        result.expect(
            patrons[charge_id] <= {charge["patron_id"]},
            f"charge {charge_id} has entries of another patron",
        )


async def check_payments(result: Audit, store: Database) -> None:
    """Check that each payment and refund is booked once, and pending ones have claimed charges."""
    booked: Counter[tuple[str, str, int]] = Counter()
    async for entry in store.entries.find({"kind": {"$in": ["payment", "refund", "cancellation"]}}):
        booked[entry["reference"], entry["charge_id"], abs(entry["amount_cents"])] += 1
    true: Counter[tuple[str, str, int]] = Counter()
    claims = {claim["_id"]: claim["of"] async for claim in store.claims.find({})}
    claimed: dict[str, str] = {}
    async for payment in store.payments.find({}):
        result.counts["payments"] += 1
        for part in payment["parts"]:
            if payment["state"] in ("paid", "cancelled"):
                # A cancelled one is booked once more, as its cancellation.
                times = 1 if payment["state"] == "paid" else 2
                true[payment["_id"], part["charge_id"], part["cents"]] += times
            elif payment["state"] in ("pending", "authorised"):
                claimed[part["charge_id"]] = payment["_id"]
    async for refund in store.refunds.find({}):
        result.counts["refunds"] += 1
        if refund["settled"]:
            true[refund["_id"], refund["charge_id"], refund["cents"]] += 1
        else:
            claimed[refund["charge_id"]] = refund["_id"]
    for part in {*booked, *true}:
        result.expect(
            booked[part] == true[part],
            f"payment {part[0]} is booked {booked[part]} times for charge {part[1]}, "
            f"and was made {true[part]} times",
            lost=max(true[part] - booked[part], 0),
            doubled=max(booked[part] - true[part], 0),
        )
    result.expect(
        claims == claimed, f"charges are claimed by {claims}, but pending payments have {claimed}"
    )


async def check_tills(result: Audit, store: Database) -> None:
    """Check that the cash of each till is that of its payments and refunds, by kind of charge."""
    kinds = {charge["_id"]: charge["kind"] async for charge in store.charges.find({}, {"kind": 1})}
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    given: dict[str, Counter[str]] = defaultdict(Counter)
    async for payment in store.payments.find({"till_id": {"$gt": ""}, "left_till": False}):
        for part in payment["parts"]:
            taken[payment["till_id"]][kinds[part["charge_id"]]] += part["cents"]
    async for refund in store.refunds.find({"till_id": {"$gt": ""}}):
        given[refund["till_id"]][kinds[refund["charge_id"]]] += refund["cents"]
    async for till in store.tills.find({}):
        result.counts["tills"] += 1
        stated = Counter(till["taken"]), Counter(till["given"])
        found = taken.pop(till["_id"], Counter()), given.pop(till["_id"], Counter())
        result.expect(
            all(+one == +other for one, other in zip(stated, found, strict=True)),
            f"till {till['_id']} has {stated}, its payments and refunds {found}",
        )
    result.expect(not taken and not given, f"there are no tills {sorted({*taken, *given})}")


OPEN_HOLDS = [state.value for state in OPEN_STATES]


async def check_holds(result: Audit, store: Database) -> None:
    """Check that each copy is kept for one hold at most, and is not free while a patron waits.

    The rules decide whether a patron can be served; this counts only patrons who certainly can.
    """
    waiting: list[Document] = []
    kept: dict[str, Document] = {}
    open_by_patron: Counter[str] = Counter()
    async for hold in store.holds.find({"state": {"$in": OPEN_HOLDS}}):
        result.counts["open holds"] += 1
        open_by_patron[hold["patron_id"]] += 1
        if hold["state"] == "waiting":
            waiting.append(hold)
            continue
        twice = hold["copy_id"] in kept
        result.expect(not twice, f"copy {hold['copy_id']} is kept for 2 holds", doubled=1)
        kept[hold["copy_id"]] = hold
    free: dict[str, list[Copy]] = defaultdict(list)
    async for copy in store.copies.find({"state": {"$nin": ["on-loan", "lost"]}}):
        hold = kept.pop(copy["_id"], None)
        result.expect(
            hold is None or _target(hold).suits(from_document(Copy, copy)),
            f"copy {copy['barcode']} does not suit hold {hold and hold['_id']}, which has it",
        )
        kept_for = copy.get("hold_id")
        result.expect(
            kept_for == (hold["_id"] if hold else None),
            f"copy {copy['barcode']} is {copy['state']} for hold {kept_for}, but no hold says so",
            lost=1,
        )
        if copy["state"] in ("available", "in-transit") and not kept_for:
            one = from_document(Copy, copy)
            free[one.queue_id].append(one)
    for hold in kept.values():
        result.expect(
            False, f"hold {hold['_id']} is {hold['state']} but no copy is kept for it", lost=1
        )
    await _waiting(result, store, waiting, free)
    async for borrower in store.borrowers.find({}):
        true, counted = open_by_patron.pop(borrower["_id"], 0), borrower.get("open_holds", 0)
        result.expect(
            counted == true,
            f"patron {borrower['_id']} has a count of {counted} holds, but {true} holds",
        )
    for patron, true in open_by_patron.items():
        result.expect(False, f"patron {patron} has no count of holds, but {true} holds")


async def _waiting(
    result: Audit, store: Database, waiting: list[Document], free: Mapping[str, list[Copy]]
) -> None:
    """Check that no hold waits for a free copy, unless there may be a reason to pass it over."""
    shut = {
        branch["_id"]
        async for branch in store.calendars.find({})
        if any(
            closure["announcements"][-1]["reopened_on"] is None for closure in branch["closures"]
        )
    }
    today = wall_clock().date().isoformat()  # in UTC: a card may have expired today
    barred = [{"blocked": True}, {"card_expires_on": {"$lte": today}}]
    stopped = {patron["_id"] async for patron in store.patrons.find({"$or": barred})}
    owing = {one["_id"] async for one in store.borrowers.find({"outstanding_cents": {"$gt": 0}})}
    for hold in waiting:
        may_be_passed_over = (
            hold["frozen"]
            or hold["expires_on"]
            or hold["pickup_branch"] in shut
            or hold["patron_id"] in stopped | owing
        )
        target = _target(hold)
        idle = [copy.barcode for copy in free.get(target.queue_id, ()) if target.suits(copy)]
        result.expect(
            bool(may_be_passed_over) or not idle,
            f"copy {min(idle, default='')} is free while patron {hold['patron_id']} waits",
        )


def _target(hold: Document) -> Target:
    return from_document(Hold, hold).target


async def check_queues(result: Audit, store: Database) -> None:
    """Check that titles, copies and holds agree on works, and that each place was given once."""
    of_work = {"work_id": {"$type": "string"}}
    works = {title["_id"]: title["work_id"] async for title in store.titles.find(of_work)}
    placed = {queue["_id"]: queue["placed"] async for queue in store.queues.find({})}
    either = [of_work, {"title_id": {"$in": sorted(works)}}]
    async for copy in store.copies.find({"$or": either}):
        result.expect(
            copy.get("work_id") == works.get(copy["title_id"]),
            f"copy {copy['barcode']} is of work {copy.get('work_id')}, its title is not",
        )
    places: Counter[tuple[str, int]] = Counter()
    async for hold in store.holds.find({"state": {"$in": OPEN_HOLDS}}):
        target = _target(hold)
        result.expect(
            target.work_id == works.get(target.title_id),
            f"hold {hold['_id']} waits in queue {target.queue_id}, but its title does not",
        )
        places[target.queue_id, hold["place"]] += 1
        result.expect(
            places[target.queue_id, hold["place"]] == 1
            and hold["place"] <= placed.get(target.queue_id, 0),
            f"place {hold['place']} of queue {target.queue_id} was not given to hold {hold['_id']}",
            doubled=1,
        )


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
