"""Refusals of accounts. One class each, with a code and a reason. None repeats what was sent."""

from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    reason: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.reason)


class BadCredentials(Refusal):
    """No such card, or a wrong PIN: the answer does not say which."""

    code = "bad-credentials"
    reason = "The card number or the PIN is not right."


class Locked(Refusal):
    """Too many attempts on one card; whether the card exists is not said."""

    code = "locked"
    reason = "There were too many attempts with this card number. Please try again in 15 minutes."


class CardTaken(Refusal):
    """Another account has this card number."""

    code = "card-taken"
    reason = "This card number belongs to another account."


class NoSuchPatron(Refusal):
    """There is no such patron, or none that the caller may know of."""

    code = "no-such-patron"
    reason = "There is no such patron."


class AlreadyBlocked(Refusal):
    """The staff have blocked the patron before."""

    code = "already-blocked"
    reason = "This patron is blocked by the staff already."


class NotBlocked(Refusal):
    """There is no block of the staff's to lift."""

    code = "not-blocked"
    reason = (
        "This patron is not blocked by the staff. Who owes too much may borrow once it is paid."
    )
