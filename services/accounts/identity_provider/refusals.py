"""Refusals about log-ins at the identity provider."""

from services.accounts.refusals import refusal

NoProvider = refusal(
    404, "no-provider", "This library has no identity provider. Log in with card number and PIN."
)
ProviderAway = refusal(
    503,
    "provider-away",
    "The log-in service of the library can't be reached at the moment. Log in with your card "
    "number and PIN, or try again later.",
)
"""It does not answer in time, or not as its documents say; the log has the reason."""
BadProviderLogIn = refusal(
    401,
    "bad-provider-log-in",
    "This log-in didn't work or took too long. Try again, or log in with your card number and PIN.",
)
"""The only answer to an answer of the provider that fails a check."""
NoLinkedAccount = refusal(
    403,
    "no-linked-account",
    "No account of the library is linked with your log-in there. Ask an administrator of the "
    "library to link it, or log in with your card number and PIN.",
)
NoRoleGiven = refusal(
    403,
    "no-role-given",
    "Your groups at the log-in service give you no role of your account. Ask the people who manage "
    "these groups, or log in with your card number and PIN.",
)
ProviderFactorNeeded = refusal(
    403,
    "provider-factor-needed",
    "Your account needs a second factor, and the log-in service didn't tell of one. Log in with "
    "your card number, PIN and a code.",
)
