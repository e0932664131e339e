"""Refusals of accounts: one class each, with a code and a reason. None repeats the input."""

from shared.refusals import Refusal as BaseRefusal


class Refusal(BaseRefusal):
    """A request that the rules of accounts refuse."""


refusal = Refusal.define

BadCredentials = refusal(401, "bad-credentials", "Your card number or PIN is wrong.")
"""There is no such card, or the PIN is wrong; the answer does not say which."""
SessionEnded = refusal(401, "session-ended", "Your session has ended. Please log in again.")
"""The session has ended or expired, or the token was used before."""
Locked = refusal(
    429,
    "locked",
    "Too many attempts to log in with this card number. Please try again in 15 minutes.",
)
"""The answer does not say whether the card exists."""
StrangersWait = refusal(
    429,
    "strangers-wait",
    "There were too many wrong PINs with this card number or from this network. Please log in on "
    "a device where you have logged in before. Or choose a new PIN here with a code from an "
    "e-mail: then you can log in here at once. Or try again in an hour.",
)
"""A known device may go on. The answer does not say whether the card exists."""
WrongPin = refusal(403, "wrong-pin", "Your PIN is wrong. Nothing was changed.")
CommonPin = refusal(
    409, "common-pin", "Many people use this PIN, so it is easy to guess. Please choose another."
)
SequentialPin = refusal(
    409, "sequential-pin", "A PIN such as 123456 or 111111 is easy to guess. Please choose another."
)
CardInPin = refusal(
    409, "card-in-pin", "A PIN can't be a part of the card number. Please choose another."
)
"""The PIN is a part of the card number, or has it as a part."""
DateAsPin = refusal(
    409, "date-as-pin", "A date, such as a birthday, is easy to guess. Please choose another PIN."
)
"""The PIN is a date, or has the date of birth of its holder as a part."""

EASY_PINS: tuple[type[Refusal], ...] = (CommonPin, SequentialPin, CardInPin, DateAsPin)
"""Refusals of a new PIN."""

TooManyResets = refusal(
    429,
    "too-many-resets",
    "Too many codes were asked for with this card number or from this network. Please try again "
    "later, or ask the staff for a new PIN.",
)
"""The answer does not say whether the card exists."""
TooManyCodes = refusal(
    429,
    "too-many-codes",
    "Too many wrong codes were entered from this network. Please try again in an hour or from "
    "another network, or ask the staff for a new PIN.",
)
WrongResetCode = refusal(
    409, "wrong-reset-code", "This code is wrong or too old. Check it, or ask for a new one."
)
"""The code is wrong, used or too old, or no code was sent at all."""
CardTaken = refusal(409, "card-taken", "This card number belongs to another account.")
NoSuchPatron = refusal(404, "no-such-patron", "There is no such patron.")
"""There is no such patron, or the caller may not know of them."""
NoSuchAccount = refusal(
    404, "no-such-account", "There is no such account of staff or of a machine that you may manage."
)
OwnAccount = refusal(
    409,
    "own-account",
    "You can't change your own account. Ask another administrator or an operator.",
)
RoleNotAllowed = refusal(403, "role-not-allowed", "You may not manage accounts with this role.")
SecondPersonNeeded = refusal(
    409,
    "second-person-needed",
    "This needs a second person who may manage such accounts. Ask for their consent (POST "
    "/v1/staff-requests).",
)
"""An account of a tracer, an administrator or an operator needs the consent of two persons.

So does another e-mail address of any account, to which codes for a new PIN are sent.
"""
NoSuchRequest = refusal(
    404, "no-such-request", "There is no such request. It may have been decided already."
)
"""There is no such request, it has ended, or the caller may not manage its account."""
OwnRequest = refusal(
    409, "own-request", "You can't consent to your own request. Another person has to."
)
PinNotAccepted = refusal(
    409,
    "pin-not-accepted",
    "Nobody chooses a PIN for somebody else. Leave it out: a code to choose one is sent to the "
    "e-mail address of the account.",
)
NoStaffAddress = refusal(
    409,
    "no-staff-address",
    "There is no e-mail address on file for this account. Please enter it first.",
)
AccountDisabled = refusal(
    403, "account-disabled", "This account is disabled. Please ask an administrator of the library."
)
CodeNeeded = refusal(
    401, "code-needed", "Please enter the code from your app, or one of your recovery codes."
)
"""Card and PIN are right, and the account has a second factor."""
WrongCode = refusal(
    401, "wrong-code", "This code is wrong or was used already. Wait for the next one."
)
FactorRequired = refusal(
    403, "factor-required", "Your account needs codes from an app. Set them up first."
)
"""The account's role must have a second factor, and it has none yet."""
FactorExists = refusal(
    409, "factor-exists", "This account uses codes from an app already. Remove them first."
)
NoFactor = refusal(
    409, "no-factor", "This account doesn't use codes from an app. Set them up first."
)
NotSettled = refusal(
    409,
    "not-settled",
    "This patron can't be erased yet. Take back their items, settle their charges and give back "
    "refunds that are due, then try again.",
    "open_loans",
    "outstanding_cents",
    "refund_due_cents",
)
WrongAddressCode = refusal(
    409,
    "wrong-address-code",
    "This code is wrong, or can't be used any more. Please enter the address again.",
)
TooManyAddresses = refusal(
    429,
    "too-many-addresses",
    "You have entered many new e-mail addresses today. Please try again tomorrow.",
)
ChannelNotInUse = refusal(
    409, "channel-not-in-use", "The library does not send messages by one of these channels."
)
NoSuchBranch = refusal(404, "no-such-branch", "There is no such library.")
"""Accounts does not know the library, or not yet."""
NoAddress = refusal(
    409,
    "no-address",
    "There is no address on file for one of these channels. Please enter it first.",
)
BadUnsubscribeLink = refusal(
    404, "bad-unsubscribe-link", "This link doesn't work. You can turn off e-mail in My Setting."
)
"""The token is not one of ours, or its patron is erased."""
NoSuchCalendar = refusal(
    404, "no-such-calendar", "There is no such calendar. Its link may have been replaced or ended."
)
"""The secret is not one of ours, was replaced, or its patron is erased."""
OwnCard = refusal(409, "own-card", "This is your own card number.")
NeedsGuardian = refusal(
    409, "needs-guardian", "A parent or guardian has to agree to this at a library."
)
"""A junior patron's cards are linked at the desk, with the consent of a guardian."""
NotJunior = refusal(
    409,
    "not-junior",
    "Only a junior card is linked at the desk. Others accept an invitation themselves.",
)
TooManyInvitations = refusal(
    429, "too-many-invitations", "You can't invite more people now. Please try again tomorrow."
)
"""The patron has sent as many as they can, in a day or at a time."""
NoSuchInvitation = refusal(
    404, "no-such-invitation", "There is no such invitation. It may have ended."
)
"""There is no such invitation, it has ended, or it is neither from nor to the caller."""
AlreadyLinked = refusal(409, "already-linked", "These cards are linked already.")
TooManyLinks = refusal(
    409, "too-many-links", "One of the two cards is linked with as many cards as possible."
)
NotLinked = refusal(
    404, "not-linked", "Your card is not linked with this one. The link may have ended."
)
"""The answer does not say whether the other patron exists."""
AlreadyBlocked = refusal(409, "already-blocked", "This patron is blocked by the staff already.")
NotBlocked = refusal(
    409,
    "not-blocked",
    "This patron is not blocked by the staff. If they owe too much, they can borrow once they pay.",
)
