"""Reads of charges."""

from collections.abc import Collection
from dataclasses import dataclass

from services.circulation.borrowers import store as borrowers_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges import store
from services.circulation.policies import store as policies_store
from services.circulation.rules import patron as patron_rules
from services.circulation.rules.charge import Charge
from services.circulation.rules.payment import payment_to_refund
from services.circulation.rules.policy import PolicyMatrix
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
