"""Create an account for staff or a machine."""

from dataclasses import dataclass, field

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.refusals import CardTaken
from services.accounts.domain.staff import Manager, StaffRole
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AddStaff:
    """A new account; the PIN is already hashed."""

    card_number: str = field(repr=False)
    card_digest: str = field(repr=False)
    pin_hash: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    by: Manager


async def add_staff(work: Work, command: AddStaff) -> str:
    """Create the account and return its id. Raises RoleNotAllowed or CardTaken."""
    command.by.check_role(command.role)
    if await store.card_is_taken(work, command.card_digest):
        raise CardTaken
    cardholder = Cardholder(
        id=new_id(),
        role=command.role,
        card_digest=command.card_digest,
        card_number=normal_card(command.card_number),
        name=command.name,
        pin_hash=command.pin_hash,
    )
    await store.add_cardholders(work, cardholder)
    work.concern(cardholder.id)
    return cardholder.id
