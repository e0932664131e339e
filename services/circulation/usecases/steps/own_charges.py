"""The charges that a patron's payment is for."""

from collections.abc import Sequence

from services.circulation import store
from services.circulation.domain.charge import Charge
from services.circulation.domain.refusals.money import NoSuchCharge
from shared.unit_of_work import Work


def own_charges(work: Work, charge_ids: Sequence[str], patron_id: str) -> list[Charge]:
    """Return these charges of a patron. Raises NoSuchCharge, also for another patron's charge."""
    charges = [store.charges.get(work, charge_id) for charge_id in charge_ids]
    own = [charge for charge in charges if charge and charge.patron_id == patron_id]
    if len(own) < len(charges):
        raise NoSuchCharge
    return own
