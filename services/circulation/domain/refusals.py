"""Refusals: what the rules of lending say no to. One class each, with a code and a reason."""

from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes; `reason` is for the patron, in full sentences. The
    facts that a reason mentions are given when it is raised: `LoanLimit(limit=10)`.
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
    """No branch has this code."""

    code = "no-such-branch"
    says = "No library has the code {branch}."


class CopyOnLoan(Refusal):
    """The copy is with a patron already."""

    code = "copy-on-loan"
    says = "This item is on loan. It has to be returned before it can be borrowed again."


class CopyNotOnLoan(Refusal):
    """A return of a copy that nobody has."""

    code = "copy-not-on-loan"
    says = "This item is not on loan, so there is nothing to return."


class CopyLost(Refusal):
    """The copy is recorded as lost."""

    code = "copy-lost"
    says = "This item is recorded as lost. Please hand it to the staff."


class LoanLimit(Refusal):
    """The patron has as many loans as the policy allows."""

    code = "loan-limit"
    says = "You have as many items on loan as you may have at one time: {limit}."


class PatronBlocked(Refusal):
    """The patron owes money, or was blocked by the staff."""

    code = "patron-blocked"
    says = "Your account is blocked. Please pay what you owe, or ask the staff."


class RenewalLimit(Refusal):
    """The loan has been renewed as often as its policy allows."""

    code = "renewal-limit"
    says = "This loan has been renewed as often as it may be: {limit} times."


class HoldWaiting(Refusal):
    """Another patron waits for the title."""

    code = "hold-waiting"
    says = "Another reader is waiting for this title, so it cannot be renewed."


class LoanLost(Refusal):
    """The copy of this loan is declared lost."""

    code = "loan-lost"
    says = "This item is declared lost. Please ask the staff."


class LoanNotOpen(Refusal):
    """The loan has ended."""

    code = "loan-not-open"
    says = "This item has been returned already."


class ReturnedBeforeBorrowed(Refusal):
    """A return dated before its loan began."""

    code = "returned-before-borrowed"
    says = "This item was borrowed on {borrowed_on}; it cannot have been returned before."
