"""Refusals about accounts of staff."""

from services.accounts.refusals import refusal

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
LoginTaken = refusal(
    409, "login-taken", "Another account is linked with this log-in at the identity provider."
)
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
