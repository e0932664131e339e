"""Notifications about changes of what protects an account. They name no address and no card."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from services.notices.kinds import frame
from services.notices.kinds.kind import Kind, Known
from shared.contracts.accounts import (
    AlertOfCard,
    AlertOfContact,
    AlertOfDevice,
    AlertOfPin,
    AlertToConfirm,
)
from shared.translations import marked
from shared.unit_of_work import Run

TELL = marked("If you don't know of this, please tell the library at once.")


@dataclass(frozen=True, kw_only=True)
class Alert(Kind):
    """A notification that goes to the address that was valid before the change."""

    urgent: ClassVar[bool] = True

    alert_id: str
    by_staff: bool

    @classmethod
    async def of(cls, event: Any, run: Run) -> Self:
        """Return by what accounts knows the address, and who made the change."""
        return cls(alert_id=event.alert_id, by_staff=event.by == "staff")


@dataclass(frozen=True, kw_only=True)
class PinReplaced(Alert, events=[AlertOfPin]):
    """A notification that there is a new PIN."""

    def texts(self, known: Known) -> list[str]:
        """Return that the PIN is another one."""
        if self.by_staff:
            return [marked("The library's staff have given your account a new PIN."), TELL]
        return [marked("The PIN of your library account was changed."), TELL]


@dataclass(frozen=True, kw_only=True)
class CardReplacedByStaff(Alert, events=[AlertOfCard]):
    """A notification that there is another card."""

    def texts(self, known: Known) -> list[str]:
        """Return that the former card no longer works."""
        return [
            marked("The library's staff have replaced your library card."),
            marked("The former card can't be used any more."),
            TELL,
        ]


@dataclass(frozen=True, kw_only=True)
class ContactReplaced(Alert, events=[AlertOfContact]):
    """A notification about the e-mail address and the telephone number of an account."""

    asked: bool = False
    changed: bool = False
    removed: bool = False
    phone: bool = False

    @classmethod
    async def of(cls, event: AlertOfContact, run: Run) -> Self:
        """Return what was changed, and never to what."""
        return cls(
            alert_id=event.alert_id,
            by_staff=event.by == "staff",
            asked=event.asked,
            changed=event.changed,
            removed=event.removed,
            phone=event.phone,
        )

    @property
    def is_usual(self) -> bool:
        """False unless there is just another address: a text of staff can't tell what else."""
        return self.changed and not (self.by_staff or self.phone)

    def texts(self, known: Known) -> list[str]:
        """Return what was changed."""
        said = []
        if self.asked:
            said += [
                marked("A new e-mail address was entered for your library account."),
                marked("Until it is confirmed, the library goes on writing to the former one."),
            ]
        if self.changed:
            said.append(marked("The e-mail address of your library account was changed."))
        if self.removed:
            said.append(marked("The e-mail address of your library account was removed."))
        if self.phone:
            said.append(marked("The telephone number of your library account was changed."))
        if self.by_staff:
            said.append(marked("The library's staff did this."))
        return [*said, TELL]


@dataclass(frozen=True, kw_only=True)
class AddressToConfirm(Alert, events=[AlertToConfirm]):
    """A notification that a new address is to be confirmed. Only the e-mail has the code."""

    code_text: ClassVar[str] = frame.ADDRESS_CODE

    def texts(self, known: Known) -> list[str]:
        """Return how to confirm the address."""
        return [
            marked("This new e-mail address for a library account is to be confirmed."),
            marked("A code was sent there, to enter under My Setting."),
        ]


@dataclass(frozen=True, kw_only=True)
class LoggedInOnNewDevice(Alert, events=[AlertOfDevice]):
    """A notification of a log-in on a device that was not used with the card before."""

    def texts(self, known: Known) -> list[str]:
        """Return what to do if it was somebody else."""
        return [
            marked("Somebody logged in to your library account on a device that is new to it."),
            marked(
                "If that wasn't you, change your PIN under My Setting and tell the library at once."
            ),
        ]
