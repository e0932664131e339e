"""The base class of the refusals of accounts, and refusals of several subjects.

None repeats the input.
"""

from shared.refusals import Refusal as BaseRefusal


class Refusal(BaseRefusal):
    """A request that the rules of accounts refuse."""


refusal = Refusal.define

CardTaken = refusal(409, "card-taken", "This card number belongs to another account.")
NoSuchPatron = refusal(404, "no-such-patron", "There is no such patron.")
"""There is no such patron, or the caller may not know of them."""
NoSuchAccount = refusal(
    404, "no-such-account", "There is no such account of staff or of a machine that you may manage."
)
