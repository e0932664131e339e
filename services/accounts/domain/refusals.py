"""Refusals of accounts: one class each, with a code and a reason. None repeats the input."""

from collections.abc import Mapping
from typing import ClassVar

from services.accounts.domain.erasure import StillOpen


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response."""
    reason: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.reason)


class BadCredentials(Refusal):
    """There is no such card, or the PIN is wrong; the answer does not say which."""

    code = "bad-credentials"
    status = 401
    reason = "Your card number or PIN is wrong."


class SessionEnded(Refusal):
    """A session can't be renewed: it has ended or expired, or the token was used before."""

    code = "session-ended"
    status = 401
    reason = "Your session has ended. Please log in again."


class Locked(Refusal):
    """Too many attempts on one card; the answer does not say whether the card exists."""

    code = "locked"
    status = 429
    reason = "Too many attempts to log in with this card number. Please try again in 15 minutes."


class StrangersWait(Refusal):
    """Too many wrong PINs with one card, from one network or altogether; a known device may go on.

    The answer does not say whether the card exists.
    """

    code = "strangers-wait"
    status = 429
    reason = (
        "There were too many wrong PINs with this card number or from this network. Please log in "
        "on a device where you have logged in before. Or choose a new PIN here with a code from an "
        "e-mail: then you can log in here at once. Or try again in an hour."
    )


class WrongPin(Refusal):
    """A patron who is logged in gave a wrong PIN to confirm a change."""

    code = "wrong-pin"
    status = 403
    reason = "Your PIN is wrong. Nothing was changed."


class CommonPin(Refusal):
    """A new PIN is one of those that many people choose."""

    code = "common-pin"
    reason = "Many people use this PIN, so it is easy to guess. Please choose another."


class SequentialPin(Refusal):
    """A new PIN is a sequence of digits or letters, or one character repeated."""

    code = "sequential-pin"
    reason = "A PIN such as 123456 or 111111 is easy to guess. Please choose another."


class CardInPin(Refusal):
    """A new PIN is a part of the card number, or has it as a part."""

    code = "card-in-pin"
    reason = "A PIN can't be a part of the card number. Please choose another."


class DateAsPin(Refusal):
    """A new PIN is a date, or has the date of birth of its holder as a part."""

    code = "date-as-pin"
    reason = "A date, such as a birthday, is easy to guess. Please choose another PIN."


EASY_PINS: tuple[type[Refusal], ...] = (CommonPin, SequentialPin, CardInPin, DateAsPin)
"""Refusals of a new PIN."""


class TooManyResets(Refusal):
    """Too many codes were asked for one card, from one network or altogether.

    The answer does not say whether the card exists.
    """

    code = "too-many-resets"
    status = 429
    reason = (
        "Too many codes were asked for with this card number or from this network. Please try "
        "again later, or ask the staff for a new PIN."
    )


class TooManyCodes(Refusal):
    """Too many wrong codes for a new PIN were entered from one network or altogether."""

    code = "too-many-codes"
    status = 429
    reason = (
        "Too many wrong codes were entered from this network. Please try again in an hour or from "
        "another network, or ask the staff for a new PIN."
    )


class WrongResetCode(Refusal):
    """The code for a new PIN is wrong, used or too old, or no code was sent at all."""

    code = "wrong-reset-code"
    reason = "This code is wrong or too old. Check it, or ask for a new one."


class CardTaken(Refusal):
    """Another account has this card number."""

    code = "card-taken"
    reason = "This card number belongs to another account."


class NoSuchPatron(Refusal):
    """There is no such patron, or the caller may not know of them."""

    code = "no-such-patron"
    status = 404
    reason = "There is no such patron."


class NoSuchAccount(Refusal):
    """There is no such account of staff or of a machine, or the caller may not manage it."""

    code = "no-such-account"
    status = 404
    reason = "There is no such account of staff or of a machine that you may manage."


class OwnAccount(Refusal):
    """An administrator or operator tried to change their own account."""

    code = "own-account"
    reason = "You can't change your own account. Ask another administrator or an operator."


class RoleNotAllowed(Refusal):
    """The caller may not give this role to an account."""

    code = "role-not-allowed"
    status = 403
    reason = "You may not manage accounts with this role."


class SecondPersonNeeded(Refusal):
    """An account of a tracer, an administrator or an operator needs the consent of two persons.

    So does another e-mail address of any account, to which codes for a new PIN are sent.
    """

    code = "second-person-needed"
    reason = (
        "This needs a second person who may manage such accounts. Ask for their consent "
        "(POST /v1/staff-requests)."
    )


class NoSuchRequest(Refusal):
    """There is no such request, it has ended, or the caller may not manage its account."""

    code = "no-such-request"
    status = 404
    reason = "There is no such request. It may have been decided already."


class OwnRequest(Refusal):
    """Somebody tried to consent to their own request."""

    code = "own-request"
    reason = "You can't consent to your own request. Another person has to."


class PinNotAccepted(Refusal):
    """A manager sent a PIN for an account of staff; its holder chooses it."""

    code = "pin-not-accepted"
    reason = (
        "Nobody chooses a PIN for somebody else. Leave it out: a code to choose one is sent to the "
        "e-mail address of the account."
    )


class NoStaffAddress(Refusal):
    """An account of staff has no e-mail address, so no code can be sent there."""

    code = "no-staff-address"
    reason = "There is no e-mail address on file for this account. Please enter it first."


class AccountDisabled(Refusal):
    """The PIN is right, but an administrator has disabled the account."""

    code = "account-disabled"
    status = 403
    reason = "This account is disabled. Please ask an administrator of the library."


class CodeNeeded(Refusal):
    """Card and PIN are right, and the account has a second factor: a code is needed too."""

    code = "code-needed"
    status = 401
    reason = "Please enter the code from your app, or one of your recovery codes."


class WrongCode(Refusal):
    """The code of a second factor is wrong, too old, or was used before."""

    code = "wrong-code"
    status = 401
    reason = "This code is wrong or was used already. Wait for the next one."


class FactorRequired(Refusal):
    """The account's role must have a second factor, and it has none yet."""

    code = "factor-required"
    status = 403
    reason = "Your account needs codes from an app. Set them up first."


class FactorExists(Refusal):
    """The account has a second factor already; it is removed first."""

    code = "factor-exists"
    reason = "This account uses codes from an app already. Remove them first."


class NoFactor(Refusal):
    """The account has no such second factor."""

    code = "no-factor"
    reason = "This account doesn't use codes from an app. Set them up first."


class NotSettled(Refusal):
    """A patron to erase still has loans, owes money, or is owed money."""

    code = "not-settled"
    reason = (
        "This patron can't be erased yet. Take back their items, settle their charges and give "
        "back refunds that are due, then try again."
    )

    def __init__(self, still_open: StillOpen) -> None:
        super().__init__()
        self.extra: Mapping[str, int] = {
            "open_loans": still_open.open_loans,
            "outstanding_cents": still_open.outstanding_cents,
            "refund_due_cents": still_open.refund_due_cents,
        }


class WrongAddressCode(Refusal):
    """A code is not that of the patron's new address, or has died."""

    code = "wrong-address-code"
    reason = "This code is wrong, or can't be used any more. Please enter the address again."


class TooManyAddresses(Refusal):
    """The patron has had codes sent to many new addresses today."""

    code = "too-many-addresses"
    status = 429
    reason = "You have entered many new e-mail addresses today. Please try again tomorrow."


class ChannelNotInUse(Refusal):
    """A chosen channel is none by which notifications are sent."""

    code = "channel-not-in-use"
    reason = "The library does not send messages by one of these channels."


class NoSuchBranch(Refusal):
    """A library that accounts does not know, or not yet."""

    code = "no-such-branch"
    status = 404
    reason = "There is no such library."


class NoAddress(Refusal):
    """A chosen channel has no address of the patron on file."""

    code = "no-address"
    reason = "There is no address on file for one of these channels. Please enter it first."


class BadUnsubscribeLink(Refusal):
    """The token of a link to unsubscribe is not one of ours, or its patron is erased."""

    code = "bad-unsubscribe-link"
    status = 404
    reason = "This link doesn't work. You can turn off e-mail in My Setting."


class NoSuchCalendar(Refusal):
    """The secret of a calendar feed is not one of ours, was replaced, or its patron is erased."""

    code = "no-such-calendar"
    status = 404
    reason = "There is no such calendar. Its link may have been replaced or ended."


class OwnCard(Refusal):
    """A patron invited the holder of their own card."""

    code = "own-card"
    reason = "This is your own card number."


class NeedsGuardian(Refusal):
    """A junior patron's cards are linked at the desk, with the consent of a guardian."""

    code = "needs-guardian"
    reason = "A parent or guardian has to agree to this at a library."


class NotJunior(Refusal):
    """Staff link the cards of junior patrons only; others accept an invitation themselves."""

    code = "not-junior"
    reason = "Only a junior card is linked at the desk. Others accept an invitation themselves."


class TooManyInvitations(Refusal):
    """The patron has sent as many invitations as they can, in a day or at a time."""

    code = "too-many-invitations"
    status = 429
    reason = "You can't invite more people now. Please try again tomorrow."


class NoSuchInvitation(Refusal):
    """There is no such invitation, it has ended, or it is neither from nor to the caller."""

    code = "no-such-invitation"
    status = 404
    reason = "There is no such invitation. It may have ended."


class AlreadyLinked(Refusal):
    """The two cards are linked already."""

    code = "already-linked"
    reason = "These cards are linked already."


class TooManyLinks(Refusal):
    """One of the two cards is linked with as many cards as it can be."""

    code = "too-many-links"
    reason = "One of the two cards is linked with as many cards as possible."


class NotLinked(Refusal):
    """The two cards are not linked; the answer does not say whether the other patron exists."""

    code = "not-linked"
    status = 404
    reason = "Your card is not linked with this one. The link may have ended."


class AlreadyBlocked(Refusal):
    """The staff have already blocked the patron."""

    code = "already-blocked"
    reason = "This patron is blocked by the staff already."


class NotBlocked(Refusal):
    """The staff have not blocked the patron."""

    code = "not-blocked"
    reason = (
        "This patron is not blocked by the staff. If they owe too much, they can "
        "borrow once they pay."
    )
