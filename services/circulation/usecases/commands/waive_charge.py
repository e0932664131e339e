"""Waive a charge, or a part of it."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge
from services.circulation.domain.ledger import Occasion, waive
from services.circulation.domain.refusals.money import NoSuchCharge, PaymentUnderWay
from services.circulation.usecases.steps.post_to_ledger import post
from shared.unit_of_work import Work


@dataclass(frozen=True)
class WaiveCharge:
    """Command to waive `cents` of a charge; `by` is the member of staff."""

    charge_id: str
    cents: int
    reason: str
    by: str
    on: date


def waive_charge(work: Work, command: WaiveCharge) -> Charge:
    """Waive the cents. Raises NoSuchCharge, MoreThanOutstanding or PaymentUnderWay."""
    charge = store.charges.get(work, command.charge_id)
    if charge is None:
        raise NoSuchCharge
    if store.payments.claimed(work, [charge.id]):
        raise PaymentUnderWay
    borrower = store.patrons.borrower(work, charge.patron_id)
    occasion = Occasion(on=command.on, at=work.now, by=command.by, reason=command.reason)
    waived = waive(charge, command.cents, occasion)
    post(work, borrower, [waived])
    return waived.charge
