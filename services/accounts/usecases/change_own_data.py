"""Change a patron's own contact data or PIN, which their PIN has confirmed."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.refusals import NoSuchPatron, WrongPin
from services.accounts.usecases.amend_patron import Contact
from services.accounts.usecases.end_sessions import end_all
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChangeOwnData:
    """The fields to change; None leaves one as it is."""

    patron_id: str
    confirmed_pin: int
    """Version of the PIN that was confirmed: if it has been replaced since, nothing changes."""
    contact: Contact | None = field(default=None, repr=False)
    pin_hash: str | None = field(default=None, repr=False)
    session_id: str = ""
    """Session of the caller: a new PIN ends all others."""


async def change_own_data(work: Work, command: ChangeOwnData) -> None:
    """Change the patron's data. Raises NoSuchPatron or WrongPin.

    Of a new PIN only the end of the other sessions is published: other services know neither
    addresses nor PINs.
    """
    holder = await store.cardholder(work, command.patron_id)
    if holder is None or await store.patron(work, command.patron_id) is None:
        raise NoSuchPatron
    if holder.pin_version != command.confirmed_pin:
        raise WrongPin
    contact = command.contact or Contact(holder.email, holder.phone)
    changed = replace(
        holder,
        email=contact.email,
        phone=contact.phone,
    ).with_pin(command.pin_hash)
    if changed != holder:
        changed = replace(changed, version=holder.version + 1)
        await store.save_cardholders(work, changed)
    if command.pin_hash:
        await store.pin_resets.delete_of_card(work, holder.card_digest)
        await end_all(work, holder.id, but=command.session_id)
