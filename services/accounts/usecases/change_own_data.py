"""Change a patron's own contact data, which their PIN has confirmed."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain import new_address as rules
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import NoSuchPatron, TooManyAddresses, WrongPin
from services.accounts.usecases.change_contact import change_contact
from shared.clock import wall_clock
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class Contact:
    """A patron's e-mail address and telephone number; None: not known."""

    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


@dataclass(frozen=True)
class ChangeOwnData:
    """The addresses of a patron, which replace those on file."""

    patron_id: str
    confirmed_pin: int
    """Version of the PIN that was confirmed: if it has been replaced since, nothing changes."""
    contact: Contact = field(repr=False)


async def change_own_contact(run: Run, confirmed: Cardholder, contact: Contact) -> None:
    """Change the addresses of a patron whose PIN was confirmed.

    Raises TooManyAddresses, or as `change_own_data`.
    """
    email, new = contact.email, confirmed.new_address
    asks = email is not None and rules.step_to(confirmed.email, email, "patron") == "asked"
    if asks and not rules.is_repeat(new, email or "", wall_clock()):
        budget = rules.budget_of_new_addresses(confirmed.card_digest)
        if not (await store.attempts.spend(run.database, budget)).spent:
            raise TooManyAddresses
    await run(change_own_data, ChangeOwnData(confirmed.id, confirmed.pin_version, contact))


def change_own_data(work: Work, command: ChangeOwnData) -> None:
    """Change the patron's data. Raises NoSuchPatron or WrongPin.

    Addresses are published nowhere. The patron is told of the change, and a new e-mail address
    waits until it is confirmed.
    """
    holder = store.cardholder(work, command.patron_id)
    if holder is None or store.patron(work, command.patron_id) is None:
        raise NoSuchPatron
    if holder.pin_version != command.confirmed_pin:
        raise WrongPin
    contact = command.contact
    changed = change_contact(work, holder, contact.email, contact.phone, "patron")
    if changed != holder:
        store.save_cardholders(work, replace(changed, version=holder.version + 1))
