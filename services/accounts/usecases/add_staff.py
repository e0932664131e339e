"""Create an account for staff or a machine."""

from dataclasses import dataclass, field
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.refusals import CardTaken
from services.accounts.domain.staff import Manager, StaffRole
from services.accounts.usecases.issue_pin import issue_pin
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AddStaff:
    """A new account, at `at` by the wall clock."""

    card_number: str = field(repr=False)
    card_digest: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    by: Manager
    at: datetime
    email: str | None = field(default=None, repr=False)
    pin_hash: str | None = field(default=None, repr=False)
    """Hash of a PIN that an operator at the database has chosen; None: a code is sent."""


def add_staff(work: Work, command: AddStaff) -> str:
    """Create the account and return its id.

    Raises RoleNotAllowed, SecondPersonNeeded, CardTaken or NoStaffAddress.
    """
    command.by.check_role(command.role)
    if store.card_is_taken(work, command.card_number):
        raise CardTaken
    cardholder = Cardholder(
        id=new_id(),
        role=command.role,
        card_digest=command.card_digest,
        card_number=normal_card(command.card_number),
        name=command.name,
        pin_hash=command.pin_hash or "",
        email=command.email,
    )
    store.add_cardholders(work, cardholder)
    if command.pin_hash is None:
        issue_pin(work, cardholder, command.at)
    work.concern(cardholder.id)
    return cardholder.id
