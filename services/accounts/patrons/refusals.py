"""Refusals about patrons' blocks and erasures."""

from services.accounts.refusals import refusal

NotSettled = refusal(
    409,
    "not-settled",
    "This patron can't be erased yet. Take back their items, settle their charges and give back "
    "refunds that are due, then try again.",
    "open_loans",
    "outstanding_cents",
    "refund_due_cents",
)

NoSuchNote = refusal(404, "no-such-note", "There is no such note. It may have been deleted.")
NoCardTerms = refusal(
    409,
    "no-card-terms",
    "The library has not set for how long cards of this category are valid. Ask at any library.",
)
CardDoesNotExpire = refusal(
    409, "card-does-not-expire", "This card does not expire, so there is nothing to renew."
)
CardNotDue = refusal(
    409,
    "card-not-due",
    "Your library card is valid until {expires_on}. You can renew it from {renewable_from}.",
)
"""A renewal by the patron before the days in which the card may be renewed."""
CardRenewedAlready = refusal(
    409, "card-renewed-already", "This card was renewed already. It is valid until {expires_on}."
)
"""A renewal of a card that is valid for a whole period from today, or longer."""
RenewAtLibrary = refusal(
    409,
    "renew-at-library",
    "This card can't be renewed here. Bring it and a document with your address to any library.",
)
AddressChanged = refusal(
    409,
    "address-changed",
    "Tell the staff your new address at any library. They renew your card there.",
)
"""A renewal by a patron who does not declare that the address is unchanged."""

SelfRegistrationOff = refusal(
    409, "self-registration-off", "You can't register here. Please register at any library."
)
TooManyApplications = refusal(
    429,
    "too-many-applications",
    "Too many cards were asked for with this e-mail address or from this network. Please try again "
    "later, or register at any library.",
)
WrongApplicationCode = refusal(
    409, "wrong-application-code", "This code is wrong or too old. Check it, or register again."
)
"""The code is wrong or too old, or there is no such application."""
OneCardForAddress = refusal(
    409,
    "one-card-for-address",
    "There is a provisional card with this e-mail address. Show a document at any library to get a "
    "full one, or a card for somebody else.",
)
NotProvisional = refusal(409, "not-provisional", "This card is not a provisional one.")

AlreadyBlocked = refusal(409, "already-blocked", "This patron is blocked by the staff already.")
NotBlocked = refusal(
    409,
    "not-blocked",
    "This patron is not blocked by the staff. If they owe too much, they can borrow once they pay.",
)
