"""The audit of money: fines, ledger entries, payments and refunds agree."""

from collections import Counter, defaultdict

from ops.audit.findings import Audit
from shared.mongo import Database


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
            "paid_cents": kinds["refund-due"] - kinds["payment"],
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
    async for entry in store.entries.find({"kind": {"$in": ["payment", "refund"]}}):
        booked[entry["reference"], entry["charge_id"], abs(entry["amount_cents"])] += 1
    true: Counter[tuple[str, str, int]] = Counter()
    claims = {claim["_id"]: claim["of"] async for claim in store.claims.find({})}
    claimed: dict[str, str] = {}
    async for payment in store.payments.find({}):
        result.counts["payments"] += 1
        for part in payment["parts"]:
            if payment["state"] == "paid":
                true[payment["_id"], part["charge_id"], part["cents"]] += 1
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
