"""Reads of charges."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.circulation.borrowers import store as borrowers_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges import store
from services.circulation.policies import store as policies_store
from services.circulation.rules import patron as patron_rules
from services.circulation.rules.charge import Charge
from services.circulation.rules.payment import payment_to_refund
from services.circulation.rules.policy import PolicyMatrix
from services.circulation.till import store as till_store
from shared.mongo import Database


@dataclass(frozen=True)
class NextRefund:
    """The part of a charge's refund due that the next refund gives back; 0 if none is due."""

    cents: int
    in_cash: bool


async def next_refund(db: Database, charge: Charge) -> NextRefund:
    """Return the part of a charge's refund due that the next refund gives back."""
    found = None
    if charge.refund_due_cents:
        paid, given = await store.find_payments_of(db, charge.id)
        found = payment_to_refund(charge.id, paid, given)
    if found is None:
        return NextRefund(0, in_cash=False)
    payment, kept = found
    return NextRefund(min(charge.refund_due_cents, kept), payment.in_cash)


@dataclass(frozen=True)
class TillLine:
    """Cash taken, or given back with a minus, for one charge; `of` is as in its response."""

    of: Literal["payment", "cancelled", "refund"]
    id: str
    patron_id: str
    at: datetime
    by: str
    kind: str
    amount_cents: int
    reason: str


async def lines_of_till(db: Database, till_id: str) -> list[TillLine]:
    """Return each line of a till's cash, the oldest first."""
    payments, refunds = await till_store.find_cash(db, till_id)
    ids = {part.charge_id for payment in payments for part in payment.parts}
    ids |= {refund.charge_id for refund in refunds}
    kinds = {charge.id: charge.kind.value for charge in await store.find_some(db, ids)}
    lines = [
        TillLine(
            "cancelled" if payment.left_till else "payment",
            payment.id,
            payment.patron_id,
            payment.begun_at,
            payment.taken_by,
            kinds.get(part.charge_id, ""),
            part.cents,
            payment.cancelled_because,
        )
        for payment in payments
        for part in payment.parts
    ] + [
        TillLine(
            "refund",
            refund.id,
            refund.patron_id,
            refund.begun_at,
            refund.by,
            kinds.get(refund.charge_id, ""),
            -refund.cents,
            "",
        )
        for refund in refunds
    ]
    return sorted(lines, key=lambda line: (line.at, line.id))


async def owes_too_much(db: Database, patron_id: str) -> bool:
    """Return whether what a patron owes blocks them now."""
    patron, borrower = await borrowers_store.find_patron(db, patron_id)
    policies = PolicyMatrix(await policies_store.find(db))
    return patron is not None and patron_rules.owes_too_much(patron, borrower, policies)


async def items_of_charges(db: Database, charges: Collection[Charge]) -> dict[str, str]:
    """Return the names of the titles that charges are about, as `store.titles_of` does."""
    titles = await store.find_titles_of(db, charges)
    names = await catalogue_store.find_names(db, set(titles.values()))
    return {charge_id: names[title_id] for charge_id, title_id in titles.items()}
