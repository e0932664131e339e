"""Change a patron's own contact data, which their PIN has confirmed."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.refusals import NoSuchPatron, WrongPin
from shared.unit_of_work import Work


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


async def change_own_data(work: Work, command: ChangeOwnData) -> None:
    """Change the patron's data. Raises NoSuchPatron or WrongPin.

    Nothing is published: other services don't know addresses.
    """
    holder = await store.cardholder(work, command.patron_id)
    if holder is None or await store.patron(work, command.patron_id) is None:
        raise NoSuchPatron
    if holder.pin_version != command.confirmed_pin:
        raise WrongPin
    contact = command.contact
    changed = replace(holder, email=contact.email, phone=contact.phone)
    if changed != holder:
        await store.save_cardholders(work, replace(changed, version=holder.version + 1))
