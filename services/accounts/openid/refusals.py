"""Refusals of the pages about services of others, which send the patron nowhere else."""

from services.accounts.refusals import refusal

NoSuchClient = refusal(
    404, "no-such-client", "The library does not know the service that you come from."
)
WrongAddress = refusal(
    409, "wrong-address", "This service asked for an answer at an address that is not registered."
)
"""The patron is not sent there: anybody may have made the link."""
