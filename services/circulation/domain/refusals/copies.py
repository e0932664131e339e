"""Refusals about copies: their state, and their return."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchCopy(Refusal):
    """No copy has this barcode."""

    code = "no-such-copy"
    says = "No item of the library has the barcode {barcode}."


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
    says = (
        "A reader reported this item as lost. Please return it, so that their account is settled."
    )


class LentBeforeReturn(Refusal):
    """A back-dated check-out of a copy that was with another patron on that day."""

    code = "lent-before-return"
    says = "This item came back on {returned_on}; it cannot have been lent before."
