"""Change the addresses of a patron, as far as they need no confirmation, and tell the patron."""

from dataclasses import replace

from services.accounts.domain import new_address as rules
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.new_address import By
from services.accounts.usecases.alert_holder import alert_of_contact
from shared.clock import wall_clock
from shared.contracts.accounts import AlertToConfirm
from shared.ids import new_id
from shared.unit_of_work import Work


def change_contact(
    work: Work, holder: Cardholder, email: str | None, phone: str | None, by: By
) -> Cardholder:
    """Return the holder with the addresses that are in use from now on. The caller saves it.

    The former address stays in use until a new one is confirmed with the code that is sent there. A
    request that is made again within some minutes sends no second code.
    """
    step = rules.step_to(holder.email, email, by)
    new, at = holder.new_address, wall_clock()
    if step == "asked" and email is not None and rules.is_repeat(new, email, at):
        step = "kept"
    elif step == "asked" and email is not None:
        new = rules.asked(new_id(), email, by, at)
        work.record(AlertToConfirm(patron_id=holder.id, alert_id=new.id, by=by, version=1))
    else:
        new = None
    former = holder.email
    in_use = email if step in ("changed", "removed") else former
    told = {"asked": step == "asked" and former is not None, "phone": phone != holder.phone}
    told |= {"changed": step == "changed", "removed": step == "removed"}
    if any(told.values()):
        told_at = holder if former is not None else replace(holder, email=in_use)
        alert_of_contact(work, told_at, by, **told)
    return replace(holder, email=in_use, phone=phone, new_address=new)
