"""Refusals about preferences, addresses and links."""

from services.accounts.refusals import refusal

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
