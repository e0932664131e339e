"""Refusals about loans: check-out, renewal, return, claim and loss."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchLoan(Refusal):
    """No loan that the caller may see has this id."""

    code = "no-such-loan"
    status = 404
    says = "There is no such loan."


class LoanLimit(Refusal):
    """The patron has as many loans as the policy allows."""

    code = "loan-limit"
    says = "You've reached the limit of items on loan at one time: {limit}."


class InTheFuture(Refusal):
    """A check-out or return dated after today."""

    code = "in-the-future"
    says = "{on} is in the future."


class TooLongAgo(Refusal):
    """A check-out dated further back than a station can have been offline."""

    code = "too-long-ago"
    says = "A loan may be recorded up to {days} days after it was made; {on} is earlier."


class RenewalLimit(Refusal):
    """The loan has been renewed as often as its policy allows."""

    code = "renewal-limit"
    says = "You've reached the renewal limit for this item: {limit}."


class NothingToGain(Refusal):
    """A renewal that would not give the loan a later due date."""

    code = "nothing-to-gain"
    says = "Renewing now would not change the due date."


class HoldWaiting(Refusal):
    """Another patron waits for the title."""

    code = "hold-waiting"
    says = "Another reader is waiting for this title, so it cannot be renewed."


class LoanNotOpen(Refusal):
    """The loan has ended."""

    code = "loan-not-open"
    says = "This item has been returned already."


class LoanLost(Refusal):
    """The copy of this loan is declared lost."""

    code = "loan-lost"
    says = "This item is recorded as lost. Please ask the staff."


class ReturnedBeforeBorrowed(Refusal):
    """A return dated before its loan began."""

    code = "returned-before-borrowed"
    says = "This item was borrowed on {borrowed_on}; it cannot have been returned before."


class LoanClaimed(Refusal):
    """A renewal of a loan that its patron says they have returned."""

    code = "loan-claimed"
    says = "You've told us that you returned this item. The library is looking for it."


class NoClaim(Refusal):
    """The rejection of a claim that nobody has made."""

    code = "no-claim"
    says = "Nobody has said that this item was returned."


class PriceUnknown(Refusal):
    """The loss of a copy with no recorded price, and no price was given."""

    code = "price-unknown"
    says = "The price of this item is not recorded. Please ask the staff."
