"""Refusals about passkeys."""

from services.accounts.refusals import refusal

BadPasskey = refusal(
    401,
    "bad-passkey",
    "You can't log in with this passkey. Please log in with your card number and PIN.",
)
"""The only answer to a proof that fails, so that nobody learns which accounts exist."""
PasskeyNotAdded = refusal(
    409, "passkey-not-added", "The passkey was not added. Please try again on this page."
)
"""Its proof is wrong or too old, or this passkey was added before."""
TooManyPasskeys = refusal(
    409, "too-many-passkeys", "You have {limit} passkeys already. Remove one of them first."
)
NoSuchPasskey = refusal(404, "no-such-passkey", "There is no such passkey.")
