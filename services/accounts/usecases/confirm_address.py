"""Confirm a new e-mail address with the code that was sent there; from then on it is used."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain import new_address as rules
from services.accounts.domain.pin_reset import is_code
from services.accounts.domain.refusals import NoSuchPatron, WrongAddressCode
from services.accounts.usecases.alert_holder import alert_of_contact
from services.accounts.usecases.record_log_in import record_failure
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class ConfirmAddress:
    """A code as a patron typed it, at `at` by the wall clock."""

    patron_id: str
    code: str = field(repr=False)
    at: datetime


@dataclass(frozen=True)
class UseAddress:
    """A new address whose code was right."""

    patron_id: str
    request_id: str


async def confirm_address(run: Run, command: ConfirmAddress, key: str) -> None:
    """Use the patron's new address if the code is right.

    Raises NoSuchPatron or WrongAddressCode. The try is counted before the code is compared. The
    same code is right again once the address is used, so that a repeated request gets the same
    answer.
    """
    live = await store.alerts.take_try(run.database, command.patron_id, command.at)
    holder = await store.find_cardholder(run.database, command.patron_id)
    if holder is None:
        raise NoSuchPatron
    new = holder.new_address
    if not live or new is None or not is_code(command.code, rules.PURPOSE, new.id, key):
        if (act := run.origin.act) is not None:
            code = WrongAddressCode()
            await record_failure(run, holder.card_digest, act.address, code, act.act)
        raise WrongAddressCode
    await run(use_address, UseAddress(holder.id, new.id))


def use_address(work: Work, command: UseAddress) -> None:
    """Replace the address in use, and tell the former one. Raises NoSuchPatron, WrongAddressCode.

    Nothing changes if the new one is in use already.
    """
    holder = store.cardholder(work, command.patron_id)
    if holder is None or store.patron(work, command.patron_id) is None:
        raise NoSuchPatron
    new = holder.new_address
    if new is None or new.id != command.request_id:
        raise WrongAddressCode
    if new.confirmed:
        return
    used = replace(holder, email=new.email, new_address=replace(new, confirmed=True))
    store.save_cardholders(work, replace(used, version=holder.version + 1))
    alert_of_contact(work, holder, "patron", changed=True)
