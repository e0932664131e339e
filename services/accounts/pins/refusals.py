"""Refusals about new PINs."""

from services.accounts.refusals import Refusal, refusal

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

NoStaffAddress = refusal(
    409,
    "no-staff-address",
    "There is no e-mail address on file for this account. Please enter it first.",
)
