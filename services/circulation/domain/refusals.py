"""Refusals by the lending rules: one class each, with a code and a reason."""

from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes; `reason` is for the patron, in full sentences. Facts
    that the reason mentions are passed to the constructor: `LoanLimit(limit=10)`.
    """

    code: ClassVar[str]
    says: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        self.reason = self.says.format(**facts)
        super().__init__(self.reason)


class NoSuchCard(Refusal):
    """No patron has this card number."""

    code = "no-such-card"
    says = "No library card has this number."


class NoSuchCopy(Refusal):
    """No copy has this barcode."""

    code = "no-such-copy"
    says = "No item of the library has the barcode {barcode}."


class NoSuchBranch(Refusal):
    """No branch that circulation knows has this code."""

    code = "unknown-branch"
    says = "No library has the code {branch}."


class CopyOnLoan(Refusal):
    """The copy is with a patron already."""

    code = "copy-on-loan"
    says = "This item is on loan. It has to be returned before it can be borrowed again."


class CopyNotOnLoan(Refusal):
    """A return of a copy that nobody has."""

    code = "not-on-loan"
    says = "This item is not on loan, so there is nothing to return."


class CopyLost(Refusal):
    """The copy is recorded as lost."""

    code = "copy-lost"
    says = "This item is recorded as lost. Please hand it to the staff."


class CopyKept(Refusal):
    """The copy is set aside, kept or in transit for another patron's hold."""

    code = "copy-kept"
    says = "This item is kept for another reader."


class CopyDamaged(Refusal):
    """The copy is recorded as damaged."""

    code = "copy-damaged"
    says = "This item is recorded as damaged. Please hand it to the staff."


class CopyWithdrawn(Refusal):
    """The copy is no longer part of the library."""

    code = "copy-withdrawn"
    says = "This item is no longer lent. Please hand it to the staff."


class NotInThisState(Refusal):
    """A step that the copy's state does not allow."""

    code = "copy-state"
    says = "This cannot be done to an item that is {state}."


class LostByPatron(Refusal):
    """A found copy that a patron had lost: it has to be returned."""

    code = "lost-by-patron"
    says = "A reader had lost this item. Please return it, so that their account is settled."


class LoanLimit(Refusal):
    """The patron has as many loans as the policy allows."""

    code = "loan-limit"
    says = "You have as many items on loan as you may have at one time: {limit}."


class PatronBlocked(Refusal):
    """The patron owes money, or was blocked by the staff."""

    code = "patron-blocked"
    says = "Your account is blocked. Please pay what you owe, or ask the staff."


class MoreThanOutstanding(Refusal):
    """A waiver of more than is outstanding."""

    code = "more-than-outstanding"
    says = "Of this charge {cents} cents are still owed; no more than that can be waived."


class NoRefundDue(Refusal):
    """A refund for which nothing, or not enough, is due back."""

    code = "no-refund-due"
    says = "Nothing of this charge is to be given back."


class NoSuchCharge(Refusal):
    """No charge that the caller may see has this id."""

    code = "no-such-charge"
    says = "There is no such charge."


class NoSuchPayment(Refusal):
    """No payment that the caller may see has this id."""

    code = "no-such-payment"
    says = "There is no such payment."


class NothingToPay(Refusal):
    """A payment for a charge that is settled."""

    code = "nothing-to-pay"
    says = "One of these charges is settled already. Nothing was paid."


class PaymentUnderWay(Refusal):
    """A change of a charge while a payment or refund of it is under way."""

    code = "payment-under-way"
    says = "A payment or refund of this charge is under way. Please try again in a few minutes."


class PaymentDeclined(Refusal):
    """The provider did not take the money."""

    code = "payment-declined"
    says = "The payment was declined. Nothing was taken."


class PaymentOver(Refusal):
    """A step of a payment that was released or settled meanwhile."""

    code = "payment-over"
    says = "This payment is over. Please begin a new one."


class NoPaymentProvider(Refusal):
    """No payment provider is set up."""

    code = "no-payment-provider"
    says = "Payments cannot be made here. Please pay at a library."


class RenewalLimit(Refusal):
    """The loan has been renewed as often as its policy allows."""

    code = "renewal-limit"
    says = "This loan has been renewed as often as it may be: {limit} times."


class NothingToGain(Refusal):
    """A renewal that would not give the loan a later due date."""

    code = "nothing-to-gain"
    says = "Renewing now would not change the due date."


class HoldWaiting(Refusal):
    """Another patron waits for the title."""

    code = "hold-waiting"
    says = "Another reader is waiting for this title, so it cannot be renewed."


class NoSuchPatron(Refusal):
    """No patron that circulation knows has this id."""

    code = "no-such-patron"
    says = "There is no such reader."


class NoSuchHold(Refusal):
    """No hold that the caller may see has this id."""

    code = "no-such-hold"
    says = "There is no such reservation."


class HoldLimit(Refusal):
    """The patron has as many holds as the policy allows."""

    code = "hold-limit"
    says = "You have as many reservations as you may have at one time: {limit}."


class HoldExists(Refusal):
    """The patron waits for the title already."""

    code = "hold-exists"
    says = "You have reserved this title already."


class TitleOnLoan(Refusal):
    """The patron has a copy of the title on loan."""

    code = "title-on-loan"
    says = "You have this title on loan, so you cannot reserve it."


class HoldEnded(Refusal):
    """The hold was collected, cancelled or has expired."""

    code = "hold-ended"
    says = "This reservation has ended."


class HoldNotWaiting(Refusal):
    """The hold has a copy already."""

    code = "hold-not-waiting"
    says = "An item is kept or on its way for this reservation already."


class EndsBeforeToday(Refusal):
    """A day chosen for a hold that has already passed."""

    code = "ends-before-today"
    says = "{on} has passed already."


class LoanLost(Refusal):
    """The copy of this loan is declared lost."""

    code = "loan-lost"
    says = "This item is declared lost. Please ask the staff."


class LoanClaimed(Refusal):
    """A renewal of a loan that its patron says they have returned."""

    code = "loan-claimed"
    says = "You said that this item was returned. The library is looking for it."


class NoClaim(Refusal):
    """The rejection of a claim that nobody has made."""

    code = "no-claim"
    says = "Nobody has said that this item was returned."


class PriceUnknown(Refusal):
    """The loss of a copy with no recorded price, and no price was given."""

    code = "price-unknown"
    says = "The price of this item is not recorded. Please ask the staff."


class LoanNotOpen(Refusal):
    """The loan has ended."""

    code = "loan-not-open"
    says = "This item has been returned already."


class ReturnedBeforeBorrowed(Refusal):
    """A return dated before its loan began."""

    code = "returned-before-borrowed"
    says = "This item was borrowed on {borrowed_on}; it cannot have been returned before."


class NoSuchLoan(Refusal):
    """No loan that the caller may see has this id."""

    code = "no-such-loan"
    says = "There is no such loan."


class NoSuchSuspension(Refusal):
    """There is no such fine suspension."""

    code = "no-such-suspension"
    says = "There is no such suspension of fines."


class BarcodeTaken(Refusal):
    """Another copy has the barcode."""

    code = "barcode-taken"
    says = "Another item has the barcode {barcode} already."


class InTheFuture(Refusal):
    """A check-out or return dated after today."""

    code = "in-the-future"
    says = "{on} is still to come."


class TooLongAgo(Refusal):
    """A check-out dated further back than a station can have been offline."""

    code = "too-long-ago"
    says = "A loan may be recorded up to {days} days after it was made; {on} is earlier."


class LentBeforeReturn(Refusal):
    """A back-dated check-out of a copy that was with another patron on that day."""

    code = "lent-before-return"
    says = "This item came back on {returned_on}; it cannot have been lent before."


class ResumesBeforeStart(Refusal):
    """A fine suspension that would end before it begins."""

    code = "resumes-before-start"
    says = "Fines are suspended from {starts_on}; they can only be counted again after that day."


class SuspensionWithdrawn(Refusal):
    """A change of a fine suspension that was withdrawn."""

    code = "suspension-withdrawn"
    says = "This suspension of fines was withdrawn. Record a new one."


class SuspensionOver(Refusal):
    """The withdrawal of a fine suspension that has ended."""

    code = "suspension-over"
    says = (
        "This suspension ended before {resumes_on}. Its days stay free, unless it is withdrawn "
        "as recorded in error."
    )


class NoSuchPolicy(Refusal):
    """No policy row in force has this id."""

    code = "no-such-policy"
    says = "There is no such policy."


class PolicyTaken(Refusal):
    """Another row is for the same patrons, copies and branches."""

    code = "policy-taken"
    says = "The policy {other} is for the same patrons, items and libraries. Change that one."


class PolicyNeeded(Refusal):
    """A change after which some loan would have no policy row."""

    code = "policy-needed"
    says = "One policy has to be for any patron, item and library. This is the one."


class NoSuchConflict(Refusal):
    """There is no such conflict."""

    code = "no-such-conflict"
    says = "There is no such conflict."


class ConflictResolved(Refusal):
    """The staff have settled the conflict."""

    code = "conflict-resolved"
    says = "This conflict has been settled already."


class NoSuchTitle(Refusal):
    """The catalogue has no title of this id."""

    code = "no-such-title"
    says = "There is no such title."


class TooManyCopies(Refusal):
    """More copies than a title may have."""

    code = "too-many-copies"
    says = "A title may have {most} copies. Catalogue another one for the rest."
