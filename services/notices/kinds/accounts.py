"""Notifications about the account itself: security, PINs, family, coming of age."""

from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Self

from services.notices.kinds.kind import Kind, Known
from shared.contracts.accounts import (
    AlertOfCard,
    AlertOfContact,
    AlertOfDevice,
    AlertOfPasskey,
    AlertOfPin,
    AlertToConfirm,
    PatronCameOfAge,
    PatronCardExpiring,
    PatronCardRenewed,
    PatronInvited,
    PatronLinked,
    PatronUnlinked,
    PinReset,
    PinResetRequested,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run

CODE = marked("Your code: {code}. Enter it within 15 minutes on the page where you asked for it.")
ADDRESS_CODE = marked(
    "Your code: {code}. Enter it within seven days under My Setting, where your new address waits."
)
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
        return cls.from_event(event, by_staff=event.by == "staff")


@dataclass(frozen=True, kw_only=True)
class PinReplaced(Alert, events=[AlertOfPin], name=marked("PIN changed")):
    """A notification that there is a new PIN."""

    def texts(self, known: Known) -> list[str]:
        """Return that the PIN is another one."""
        if self.by_staff:
            return [marked("The library's staff have given your account a new PIN."), TELL]
        return [marked("The PIN of your library account was changed."), TELL]


@dataclass(frozen=True, kw_only=True)
class CardReplacedByStaff(Alert, events=[AlertOfCard], name=marked("Card replaced")):
    """A notification that there is another card."""

    sentences = (
        marked("The library's staff have replaced your library card."),
        marked("The former card can't be used any more."),
        TELL,
    )


@dataclass(frozen=True, kw_only=True)
class ContactReplaced(
    Alert, events=[AlertOfContact], name=marked("Address or telephone number changed")
):
    """A notification of what was changed in the contact of an account, and never to what."""

    asked: bool = False
    changed: bool = False
    removed: bool = False
    phone: bool = False
    postal: bool = False

    @property
    def is_usual(self) -> bool:
        """False unless there is just another address: a text of staff can't tell what else."""
        return self.changed and not (self.by_staff or self.phone or self.postal)

    def texts(self, known: Known) -> list[str]:
        """Return what was changed."""
        sentences = []
        if self.asked:
            sentences += [
                marked("A new e-mail address was entered for your library account."),
                marked("Until it is confirmed, the library goes on writing to the former one."),
            ]
        if self.changed:
            sentences.append(marked("The e-mail address of your library account was changed."))
        if self.removed:
            sentences.append(marked("The e-mail address of your library account was removed."))
        if self.phone:
            sentences.append(marked("The telephone number of your library account was changed."))
        if self.postal:
            sentences.append(marked("The postal address of your library account was changed."))
        if self.by_staff:
            sentences.append(marked("The library's staff did this."))
        return [*sentences, TELL]


@dataclass(frozen=True, kw_only=True)
class AddressToConfirm(
    Alert, events=[AlertToConfirm], name=marked("New e-mail address to confirm")
):
    """A notification that a new address is to be confirmed. Only the e-mail has the code."""

    code_text: ClassVar[str] = ADDRESS_CODE

    sentences = (
        marked("This new e-mail address for a library account is to be confirmed."),
        marked("A code was sent there, to enter under My Setting."),
    )


@dataclass(frozen=True, kw_only=True)
class LoggedInOnNewDevice(Alert, events=[AlertOfDevice], name=marked("Log-in on a new device")):
    """A notification of a log-in on a device that was not used with the card before."""

    sentences = (
        marked("Somebody logged in to your library account on a device that is new to it."),
        marked(
            "If that wasn't you, change your PIN under My Setting and tell the library at once."
        ),
    )


@dataclass(frozen=True, kw_only=True)
class PasskeyChanged(Alert, events=[AlertOfPasskey], name=marked("Passkey added or removed")):
    """A notification that there is one passkey more, or one less."""

    added: bool = True

    def texts(self, known: Known) -> list[str]:
        """Return what has happened, and what to do about a passkey of somebody else."""
        if not self.added:
            return [marked("A passkey of your library account was removed."), TELL]
        return [
            marked("A passkey was added to your library account."),
            marked(
                "If that wasn't you, remove it under My Setting, change your PIN and tell the "
                "library at once."
            ),
        ]


@dataclass(frozen=True, kw_only=True)
class CodeRequested(Kind, events=[PinResetRequested], name=marked("Code to choose a new PIN")):
    """A notification that a code was asked for. Only the e-mail has the code."""

    urgent: ClassVar[bool] = True
    code_text: ClassVar[str] = CODE

    reset_id: str

    sentences = (
        marked("Someone asked for a code to choose a new PIN for your library card."),
        marked("If that wasn't you, you need not do anything: your PIN stays as it is."),
    )


@dataclass(frozen=True, kw_only=True)
class PinChosen(Kind, events=[PinReset], name=marked("New PIN chosen")):
    """A notification that a new PIN was chosen with a code."""

    urgent: ClassVar[bool] = True

    alert_id: str | None = None

    sentences = (
        marked("You have chosen a new PIN with a code from an e-mail."),
        marked("If that wasn't you, please tell the library at once."),
    )


@dataclass(frozen=True, kw_only=True)
class Invited(Kind, events=[PatronInvited], name=marked("Invitation to link cards")):
    """A notification that somebody wants to link their card with the patron's."""

    sentences = (
        marked("Somebody invites you to link your library cards."),
        marked("See who it is, and accept or decline, under Linked cards."),
    )


@dataclass(frozen=True, kw_only=True)
class Linked(Kind, events=[PatronLinked], name=marked("Cards linked")):
    """A notification that the patron's card is linked with another."""

    sentences = (
        marked("Your library card is now linked with another card."),
        marked("Its holder can see your loans and reservations, and renew and reserve for you."),
        marked("You can end this at any time, under Linked cards."),
    )


@dataclass(frozen=True, kw_only=True)
class Unlinked(Kind, events=[PatronUnlinked], name=marked("Link of cards ended")):
    """A notification that the link with another card has ended."""

    @classmethod
    async def of(cls, event: PatronUnlinked, run: Run) -> Self | None:
        """Return no facts; None for the patron who ended it."""
        return None if event.by == "patron" else cls()

    sentences = (marked("Your library card is no longer linked with another card."),)


@dataclass(frozen=True, kw_only=True)
class CameOfAge(Kind, events=[PatronCameOfAge], name=marked("Adult from the birthday on")):
    """A notification that a junior patron has become an adult one."""

    sentences = (
        marked("Your library card is now an adult's card."),
        marked("From now on, what you borrow is lent by the rules for adults."),
    )


@dataclass(frozen=True, kw_only=True)
class CardExpiring(Kind, events=[PatronCardExpiring], name=marked("Card expires soon")):
    """A notification that the patron's card is about to expire."""

    by_post = True

    patron_id: str
    expires_on: date

    @classmethod
    async def of(cls, event: PatronCardExpiring, run: Run) -> Self | None:
        """Return the last day of the card."""
        if event.card_expires_on is None:
            return None
        return cls(patron_id=event.patron_id, expires_on=event.card_expires_on)

    async def current(self, run: Run) -> Self | None:
        """Return None once the card is renewed, or the patron erased."""
        path = path_to("v1", "patrons", self.patron_id)
        found = await run.owners.get("accounts", path, now=run.now)
        is_as_it_was = found and found["card_expires_on"] == self.expires_on.isoformat()
        return self if is_as_it_was else None

    async def useful_until(self, run: Run) -> date:
        """Return the last day of the card."""
        return self.expires_on

    sentences = (
        marked("Your library card is valid until {expires_on}."),
        marked("See in My Account how to renew it, or ask at any library."),
    )


@dataclass(frozen=True, kw_only=True)
class CardRenewed(Kind, events=[PatronCardRenewed], name=marked("Card renewed")):
    """A notification that the patron's card is renewed."""

    expires_on: date

    @classmethod
    async def of(cls, event: PatronCardRenewed, run: Run) -> Self | None:
        """Return the new last day of the card."""
        return cls(expires_on=event.card_expires_on) if event.card_expires_on else None

    sentences = (marked("Your library card is renewed. It is valid until {expires_on}."),)
