"""Refusals by the rules of lending: status, code, reason and the ways out."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, Self

from shared.refusals import Refusal as BaseRefusal


@dataclass(frozen=True, slots=True)
class Pay:
    """Pay a part of what is owed, in cents."""

    cents: int
    do: Literal["pay"] = "pay"


@dataclass(frozen=True, slots=True)
class Return:
    """Return some items on loan."""

    items: int
    loan_ids: tuple[str, ...]
    """Loans with which this is cheapest."""
    any_item: bool = True
    """False: other items cost more fines."""
    do: Literal["return"] = "return"


@dataclass(frozen=True, slots=True)
class CancelHolds:
    """Cancel some reservations; `hold_ids` names those that are lost with the least harm."""

    holds: int
    hold_ids: tuple[str, ...]
    do: Literal["cancel-holds"] = "cancel-holds"


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again on a day."""

    until: date
    do: Literal["wait"] = "wait"


@dataclass(frozen=True, slots=True)
class ChooseCopy:
    """Take another copy of the title, which is free at the same library."""

    barcode: str
    do: Literal["choose-copy"] = "choose-copy"


@dataclass(frozen=True, slots=True)
class ChooseBranch:
    """Choose another pick-up library."""

    branch: str
    do: Literal["choose-branch"] = "choose-branch"


@dataclass(frozen=True, slots=True)
class RenewCard:
    """Renew the library card that has expired."""

    card: Literal["own"] = "own"
    do: Literal["renew-card"] = "renew-card"


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask somebody who can help: the patron has no way out of their own."""

    ask: Literal["staff"] = "staff"
    do: Literal["ask"] = "ask"


Step = Pay | Return | CancelHolds | Wait | ChooseCopy | ChooseBranch | RenewCard | Ask


@dataclass(frozen=True, slots=True)
class WayOut:
    """Steps after which a request succeeds that was refused."""

    steps: tuple[Step, ...]


ASK_STAFF = (WayOut((Ask(),)),)


class Refusal(BaseRefusal):
    """A request that the rules of circulation refuse."""

    ways_out: tuple[WayOut, ...] = ()
    """Ways out, the cheapest first; empty if nobody looked for one."""

    def with_ways_out(self, ways_out: tuple[WayOut, ...]) -> Self:
        """Add the ways out, which are a member of the problem too."""
        self.ways_out = ways_out
        self.extra = {**self.extra, "ways_out": ways_out}
        return self


@dataclass(frozen=True)
class ItemRefusal:
    """The refusal of one item of several, whose other items went well."""

    code: str
    reason: str
    ways_out: tuple[WayOut, ...] = ()

    @classmethod
    def by(cls, refusal: Refusal) -> "ItemRefusal":
        """Convert a refusal."""
        return cls(refusal.code, refusal.reason, refusal.ways_out)


refusal = Refusal.define


NoSuchBranch = refusal(404, "unknown-branch", "No library has the code {branch}.")

NoSuchTitle = refusal(404, "no-such-title", "There is no such title.")
TitleReserved = refusal(
    409,
    "title-reserved",
    "Readers have reserved this title. You can change its work once their reservations have ended.",
)
"""A change of a title's work that would mix holds of two queues."""
BarcodeTaken = refusal(409, "barcode-taken", "Another item has the barcode {barcode} already.")
FirstBarcodeNeeded = refusal(
    409, "first-barcode-needed", "Give the first barcode to number from; it has to end in digits."
)
NoBarcodesLeft = refusal(
    409,
    "no-barcodes-left",
    "There are not enough numbers left after {prefix}. Begin another series.",
)
ChangedMeanwhile = refusal(
    409, "changed-meanwhile", "Somebody else has changed this in the meantime. Nothing was saved."
)
"""A change of another version of a title or a copy than its sender has seen."""
TooManyCopies = refusal(
    409, "too-many-copies", "A title may have {most} copies. Catalogue another one for the rest."
)

NoSuchCopy = refusal(409, "no-such-copy", "No item of the library has the barcode {barcode}.")
CopyOnLoan = refusal(
    409,
    "copy-on-loan",
    "This item is on loan. It has to be returned before it can be borrowed again.",
)
CopyNotOnLoan = refusal(
    409, "not-on-loan", "This item is not on loan, so there is nothing to return."
)
CopyLost = refusal(409, "copy-lost", "This item is recorded as lost. Please hand it to the staff.")
CopyKept = refusal(409, "copy-kept", "This item is kept for another reader.")
"""The copy is set aside, kept or in transit for another patron's hold."""
CopyDamaged = refusal(
    409, "copy-damaged", "This item is recorded as damaged. Please hand it to the staff."
)
CopyNotReady = refusal(
    409,
    "copy-not-ready",
    "This item is still on order or in process. Scan it as a return first, then lend it.",
)
CopyWithdrawn = refusal(
    409, "copy-withdrawn", "This item is no longer lent. Please hand it to the staff."
)
NotInThisState = refusal(409, "copy-state", "This cannot be done to an item that is {state}.")
"""A step that the copy's state does not allow."""
LostByPatron = refusal(
    409,
    "lost-by-patron",
    "A reader reported this item as lost. Please return it, so that their account is settled.",
)
"""A found copy that a patron had lost: it has to be returned."""
LentBeforeReturn = refusal(
    409,
    "lent-before-return",
    "This item came back on {returned_on}; it cannot have been lent before.",
)
"""A back-dated check-out of a copy that was with another patron on that day."""

PatronBlocked = refusal(
    409,
    "patron-blocked",
    "Your account is blocked, so you can't borrow, renew or reserve. My Account says what to do.",
)
"""The patron owes money, or was blocked by the staff."""
CardExpired = refusal(
    409,
    "card-expired",
    "Your library card was valid until {expired_on}. Renew your card in My Account or at any "
    "library, then you can borrow, renew and reserve again.",
)

NoSuchPolicy = refusal(404, "no-such-policy", "There is no such policy.")
PolicyTaken = refusal(
    409,
    "policy-taken",
    "The policy {other} is for the same patrons, items and libraries. Change that one.",
)
"""Another row is for the same patrons, copies and branches."""
PolicyNeeded = refusal(
    409,
    "policy-needed",
    "You can't make this change: one policy must apply to any patron, item and library.",
)
"""A change after which some loan would have no policy row."""

PolicyChanged = refusal(
    409,
    "policy-changed",
    "Somebody has changed this policy meanwhile: version {version} is in force.",
)
"""A change that is based on another version than the one in force; 0: no row is in force."""

NoSuchSuspension = refusal(404, "no-such-suspension", "There is no such suspension of fines.")
ResumesBeforeStart = refusal(
    409,
    "resumes-before-start",
    "Fines are suspended from {starts_on}. They must restart after that day.",
)
SuspensionWithdrawn = refusal(
    409, "suspension-withdrawn", "This suspension of fines was withdrawn. Record a new one."
)
SuspensionOver = refusal(
    409,
    "suspension-over",
    "This suspension ended before {resumes_on}. Its days stay free, unless it is withdrawn as "
    "recorded in error.",
)
"""The withdrawal of a fine suspension that has ended."""

HoldLimit = refusal(
    409, "hold-limit", "You've reached the limit of reservations at one time: {limit}."
)
HoldExists = refusal(409, "hold-exists", "You have reserved this title already.")
TitleOnLoan = refusal(
    409, "title-on-loan", "You have this title on loan, so you cannot reserve it."
)
HoldEnded = refusal(409, "hold-ended", "This reservation has ended.")
HoldNotWaiting = refusal(
    409,
    "hold-not-waiting",
    "You can't change this reservation: a copy is already kept for you or on its way.",
)
EndsBeforeToday = refusal(409, "ends-before-today", "{on} has passed already.")
"""A day chosen for a hold that has already passed."""

OnSiteOnly = refusal(
    409,
    "on-site-only",
    "This item is for use in the library only. Please ask the staff for a copy that can be lent.",
)
AvailableNow = refusal(
    409,
    "available-now",
    "A copy is available now, so there is nothing to reserve. Please borrow it at its library.",
)
PickupAtOwner = refusal(
    409,
    "pickup-at-owner",
    "This title can be collected only at a library that owns it. Please choose one: {branches}.",
)
LoanLimit = refusal(
    409, "loan-limit", "You've reached the limit of items on loan at one time: {limit}."
)
RenewalLimit = refusal(
    409, "renewal-limit", "You've reached the renewal limit for this item: {limit}."
)
NothingToGain = refusal(409, "nothing-to-gain", "Renewing now would not change the due date.")
HoldWaiting = refusal(
    409, "hold-waiting", "Another reader is waiting for this title, so it cannot be renewed."
)
LoanNotOpen = refusal(409, "loan-not-open", "This item has been returned already.")
LoanLost = refusal(409, "loan-lost", "This item is recorded as lost. Please ask the staff.")
ReturnedBeforeBorrowed = refusal(
    409,
    "returned-before-borrowed",
    "This item was borrowed on {borrowed_on}; it cannot have been returned before.",
)
LentThatDay = refusal(
    409,
    "lent-that-day",
    "This item was lent later on {borrowed_on}. If it is here, return it now.",
    "borrowed_on",
)
"""A return that is reported later, and that a loan of its day has followed."""
LoanClaimed = refusal(
    409,
    "loan-claimed",
    "You've told us that you returned this item. The library is looking for it.",
)
"""A renewal of a loan that its patron says they have returned."""
TooLateToUndo = refusal(
    409,
    "too-late-to-undo",
    "This can't be undone here any more. Return the item, or lend it again.",
)
"""The undo of a check-out or return that is too old, of another branch, or has had consequences."""
ReturnNotMade = refusal(409, "return-not-made", "This item is on loan; there is no return to undo.")
NoClaim = refusal(409, "no-claim", "Nobody has said that this item was returned.")
"""The rejection of a claim that nobody has made."""

MAY_BE_OVERRIDDEN: tuple[type[Refusal], ...] = (
    CardExpired,
    PatronBlocked,
    LoanLimit,
    RenewalLimit,
    HoldWaiting,
    HoldLimit,
)
"""Refusals despite which staff with the right may lend, renew or reserve, with a reason."""

NoSuchConflict = refusal(404, "no-such-conflict", "There is no such conflict.")
ConflictResolved = refusal(409, "conflict-resolved", "This conflict has been settled already.")

NoSuchList = refusal(404, "no-such-list", "There is no such list.")
ListLimit = refusal(409, "list-limit", "You've reached the limit of lists: {limit}.")
ListFull = refusal(409, "list-full", "This list has {limit} titles. Remove some, or make another.")

NoSuchTill = refusal(404, "no-such-till", "There is no such till.")
TillOpen = refusal(409, "till-open", "This till is open already. Close it first.")
TillClosedAlready = refusal(409, "till-closed-already", "This till was closed already.")
DifferenceUnexplained = refusal(
    409, "difference-unexplained", "The count differs from what is expected. Enter the reason."
)
PaymentNotInCash = refusal(
    409, "payment-not-in-cash", "Only a payment that was recorded in cash can be cancelled."
)
PaymentCancelled = refusal(409, "payment-cancelled", "This payment was cancelled already.")
PaymentRefunded = refusal(
    409, "payment-refunded", "This payment was given back, so it can't be cancelled."
)
MoreThanOutstanding = refusal(
    409,
    "more-than-outstanding",
    "Only {outstanding} of this charge is outstanding. You can't waive more.",
)
AmountChanged = refusal(409, "amount-changed", "The amount is {amount} now. Nothing was recorded.")
"""More cash than is to be paid, or another amount than was shown."""
NoRefundDue = refusal(409, "no-refund-due", "No refund is due on this charge.")
"""A refund for which nothing, or not enough, is due back."""
NothingToPay = refusal(
    409, "nothing-to-pay", "Nothing was paid: one of these charges is already settled."
)
NoReceipt = refusal(
    409, "no-receipt", "Only a payment that is complete and was not cancelled has a receipt."
)
PaymentOver = refusal(409, "payment-over", "This payment has ended. Please begin a new one.")
"""A step of a payment that was released or settled meanwhile."""

SelfCheckoutOff = refusal(
    409,
    "self-checkout-off",
    "You can't borrow with your phone at this library. Please borrow at the desk.",
)
WrongDayCode = refusal(
    409,
    "wrong-day-code",
    "This isn't today's code of this library. It is on the sign at the door, and the staff know "
    "it.",
)
TooManyDayCodes = refusal(
    409,
    "too-many-day-codes",
    "You've entered too many wrong codes today. Please borrow at the desk.",
)
CopyElsewhere = refusal(
    409,
    "copy-elsewhere",
    "By our records this item belongs somewhere else. Bring it to the desk.",
)
"""The self-checkout of a copy that is on its way, or at another library, or of another one."""
