"""Refusals about log-ins, sessions and second factors."""

from services.accounts.refusals import refusal

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
