"""Refusals about loans and receipts."""

from services.circulation.refusals import refusal

NoSuchCard = refusal(404, "no-such-card", "No library card has this number.")
NoSuchLoan = refusal(404, "no-such-loan", "There is no such loan.")
"""No loan that the caller may see has this id."""
InTheFuture = refusal(409, "in-the-future", "{on} is in the future.")
"""A check-out or return dated after today."""
TooLongAgo = refusal(
    409,
    "too-long-ago",
    "A loan may be recorded up to {days} days after it was made; {on} is earlier.",
)
"""A check-out dated further back than a station can have been offline."""
PriceUnknown = refusal(
    409, "price-unknown", "The price of this item is not recorded. Please ask the staff."
)
"""The loss of a copy with no recorded price, and no price was given."""
NothingBorrowed = refusal(409, "nothing-borrowed", "Nothing was borrowed here today.")
"""The receipt of a patron who has borrowed nothing at this branch today."""
