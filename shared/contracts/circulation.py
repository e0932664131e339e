"""Events of circulation: loans, holds and charges, in cents of HKD."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts import earlier
from shared.contracts.event import Cents, Code, Count, Event, Id, Short, Value
from shared.contracts.statement import SpanOut

ActingPatron = Annotated[
    Id | None,
    Field(description="Linked patron who did it for this one; null: the patron or the staff."),
]

Overridden = Annotated[
    Code | None,
    Field(description="Code of the refusal despite which staff did it; null: there was none."),
]


class LoanSnapshot(Event, publisher="circulation", key="patron_id", subject="loan_id"):
    """A loan after a change."""

    loan_id: Id
    patron_id: Id
    title_id: Id
    copy_id: Id
    barcode: Short
    category: Code = Field(description="The copy's category.")
    branch: Code = Field(description="Code of the lending branch.")
    branch_kind: Code
    borrowed_on: date
    due_on: date
    due_at: datetime | None = Field(
        default=None, description="Time on `due_on` from which a loan by hours is overdue, UTC."
    )
    renewals: Count
    renewals_left: Count = Field(
        description="Under the policy. A closure of the branch may grant more while it lasts."
    )
    renewals_allowed: Count | None = Field(
        default=None, description="Renewals that the loan's policy allows in all."
    )
    state: Literal["open", "returned", "lost"]
    returned_on: date | None = None
    claimed_returned_on: date | None = Field(
        default=None,
        description="Day of the patron's claim to have returned the copy, while staff search.",
    )


class LoanCheckedOut(LoanSnapshot, topic="loan.checked-out"):
    """Published when a copy is lent."""

    overridden: Overridden = None


class LoanRenewed(LoanSnapshot, topic="loan.renewed"):
    """Published when a loan is renewed."""

    previous_due_on: date
    reference: Short = Field(description="Reference that the patron can quote.")
    acting_patron_id: ActingPatron = None
    overridden: Overridden = None
    automatic: bool = Field(
        default=False, description="True: renewed on its due date by the policy, not by a person."
    )


class LoanDueDateChanged(LoanSnapshot, topic="loan.due-date-changed"):
    """Published when a closure moves a due date."""

    previous_due_on: date
    cause: Short = Field(description="Id of the closure that moved it.")


class LoanOverdue(LoanSnapshot, topic="loan.overdue"):
    """Published by the overdue job for an overdue loan, on the first day and on later days.

    Each notice is published once for each due date.
    """

    overdue_on: date = Field(description="The business day of the job.")
    notice: int = Field(
        default=1, ge=1, le=10_000, description="Ordinal of the notice for this due date: 1, 2 …"
    )


class LoanDueSoon(LoanSnapshot, topic="loan.due-soon"):
    """Published by the due-soon job in the last days before a due date, once for each due date."""

    noticed_on: date = Field(description="The business day of the job.")
    renews: bool = Field(
        default=False,
        description="True if it is to be renewed on its due date, unless somebody waits then.",
    )


class LoanReturned(LoanSnapshot, topic="loan.returned"):
    """Published when a copy comes back."""

    return_branch: Code
    channel: Literal["desk", "station", "book-drop"]


class LoanLost(LoanSnapshot, topic="loan.lost"):
    """Published when a loan is declared lost. `fine.assessed` gives the cost.

    If the copy is found, `loan.returned` follows, and `fine.adjusted` with the price credited.
    """

    charged: bool = Field(
        default=False,
        description="True if the copy's price is charged: the patron is notified by `fine.assessed`"
        " of the loss, too.",
    )

    lost_on: date
    declared_by: Literal["patron", "staff", "rule"] = Field(
        description="`rule`: the loan was overdue for the days that its policy sets."
    )


class LoanClaimed(LoanSnapshot, topic="loan.claimed"):
    """Published when a patron says that they returned a copy that is still on loan to them.

    Published again, without `claimed_returned_on`, if staff searched for it in vain.
    """


class LoanUndone(LoanSnapshot, topic="loan.undone"):
    """Published when staff undo a check-out or a return that was a mistake.

    After an undone check-out the loan is as if it had never been, and its state is `returned`
    without `returned_on`. After an undone return it is `open` again. The event that it undoes has
    the version before this one's.
    """

    undid: Literal["check-out", "return"]


class ReceiptItem(Value):
    """A loan on a receipt."""

    loan_id: Id
    title_id: Id
    due_on: date
    due_at: datetime | None = None


class ReceiptRequested(
    Event,
    topic="receipt.requested",
    publisher="circulation",
    key="patron_id",
    subject="receipt_id",
):
    """Published when staff send a patron a receipt by e-mail: what was borrowed that day."""

    receipt_id: Id
    patron_id: Id
    branch: Code = Field(description="Code of the lending branch.")
    loans: tuple[ReceiptItem, ...] = Field(max_length=200)


class Standing(Value):
    """The amount that a patron owes after a change: the highest `version` in any charge counts."""

    version: int = Field(
        ge=1, le=1_000_000_000, description="Counts the changes of the patron's totals."
    )
    outstanding_cents: int = Field(ge=0, le=1_000_000_000_000)
    blocked: bool = Field(description="True if the patron owes too much to borrow.")


class ChargeOfGroup(Value):
    """A charge that the same transaction changed, and of which one notification tells as well."""

    charge_id: Id
    charge_kind: earlier.ChargeKind
    title_id: Id | None = Field(description="Title of the item charged for, if it is known.")
    cents: Cents = Field(description="Amount assessed, lowered, paid or waived.")


class ChargeSnapshot(Event, publisher="circulation", key="patron_id", subject="charge_id"):
    """A charge after a change."""

    charge_id: Id
    patron_id: Id
    loan_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{0,80}$", description="Empty for a hold fee, which has a `hold_id`."
    )
    kind: Literal["fine", "lost", "hold-fee"]
    amount_cents: Cents = Field(description="The charged amount, after any credit.")
    outstanding_cents: Cents
    currency: Code = "HKD"
    assessed_on: date
    hold_id: Id | None = None
    title_id: Id | None = Field(
        default=None, description="Title of the item charged for, while circulation has the loan."
    )
    processing: bool = Field(
        default=False, description="With kind `lost`: the cost of replacing, not the copy's price."
    )
    charge_kind: earlier.ChargeKind = Field(
        default_factory=earlier.charge_kind,
        description="As `kind`, but `lost-processing` for the cost of replacing a lost copy.",
    )
    refund_due_cents: Cents = Field(default=0, description="Paid money that the library owes back.")
    open: bool = Field(
        default_factory=earlier.charge_is_open,
        description="True while money of it is to be paid or to be given back.",
    )
    standing: Standing | None = None
    others: tuple[ChargeOfGroup, ...] = Field(
        default=(),
        max_length=1_000,
        description="Charges that the same transaction changed in the same way, each with an event "
        "of its own. The patron is notified of all of them by this event.",
    )
    notified_with: Id | None = Field(
        default=None,
        description="Charge whose event, of the same type and transaction, notifies the patron of "
        "this change too; null: this event does.",
    )


class PaymentReceiptRequested(
    Event,
    topic="payment.receipt-requested",
    publisher="circulation",
    key="patron_id",
    subject="payment_id",
):
    """Published when a patron, or staff for them, ask for the receipt of a payment by e-mail."""

    payment_id: Id
    patron_id: Id
    paid_at: datetime = Field(description="Business time.")
    in_cash: bool = Field(description="True if a library's desk took it, not the provider.")
    amount_cents: Cents
    parts: tuple[ChargeOfGroup, ...] = Field(
        max_length=1_000, description="The part of it for each charge."
    )


class FineAssessed(ChargeSnapshot, topic="fine.assessed"):
    """Published when an amount over 0 becomes a charge of any kind.

    A fine, at return, renewal or loss, has its statement. Other charges have no overdue days: then
    `due_on` is the day of assessment and `spans` is empty.
    """

    due_on: date = Field(description="The day from which the overdue days are counted.")
    charged_days: Count
    spans: tuple[SpanOut, ...] = Field(max_length=20_000)
    suspended: bool = Field(
        default_factory=earlier.ends_suspended,
        description="True if fines were suspended for the loan on its last overdue day.",
    )


class FineAdjusted(ChargeSnapshot, topic="fine.adjusted"):
    """Published when a charge is lowered, a refund due was given, or a payment is cancelled."""

    lowered_cents: Cents = Field(
        description="Amount of the reduction; 0: a refund was given, or a payment cancelled."
    )
    refunded_cents: Cents = Field(default=0, description="Amount given back now.")
    cancelled_cents: Cents = Field(
        default=0,
        description="Amount of a payment in cash that was recorded by mistake, and is to be paid "
        "again; `cause` is its id.",
    )
    cause: Short = Field(
        description="`branch/` and the code of a branch whose closures changed, `suspension/` and "
        "the id of a fine suspension, or the id of the loan that was found, of the refund or of "
        "the cancelled payment."
    )


class FinePaid(ChargeSnapshot, topic="fine.paid"):
    """Published for each charge of a payment when the money was taken."""

    paid_cents: Cents = Field(description="Amount of this payment for this charge.")
    payment_id: Id


class FineWaived(ChargeSnapshot, topic="fine.waived"):
    """Published when staff waive a charge or part of it. Their reason stays in the ledger."""

    waived_cents: Cents = Field(description="Amount waived now.")


class HoldSnapshot(Event, publisher="circulation", key="patron_id", subject="hold_id"):
    """A hold after a change."""

    hold_id: Id
    patron_id: Id
    title_id: Id = Field(
        description="With `any_edition`: the edition of its copy or, until it has one, one of the "
        "work."
    )
    volume: Short | None = Field(
        default=None, description="Volume of the title that is wanted; null: no volume."
    )
    barcode: Short | None = Field(
        default=None, description="Barcode of the only copy that is wanted; null: any."
    )
    work_id: Id | None = Field(
        default=None, description="Work of the title: its editions share one queue; null: none."
    )
    any_edition: bool = Field(
        default=False, description="True if any edition of the work is wanted."
    )
    pickup_branch: Code
    state: Literal["waiting", "in-transit", "ready", "collected", "cancelled", "expired"]
    to_fetch: bool = Field(
        default=False,
        description="With `in-transit`: staff still have to fetch the copy from a shelf.",
    )
    open: bool = Field(
        default_factory=earlier.hold_is_open,
        description="True until it is collected, cancelled or expired.",
    )
    place: Count = Field(
        description="Ordinal among all holds placed in the queue of the title or, if it has one, "
        "of the work. A hold's position is 1 more than the number of waiting holds with a lower "
        "place that are for the same copies: of the same volume, not of another single copy, and "
        "not of another edition alone."
    )
    placed_at: datetime
    expires_on: date | None = Field(description="Last day on which the patron wants to wait.")
    frozen: bool = Field(description="True if the patron asked to be passed over.")
    frozen_until: date | None = Field(description="First day after the freeze; null: no end given.")
    copy_id: Id | None = Field(description="The copy in transit, kept or collected.")
    ready_on: date | None = Field(description="Day on which the copy came to the hold shelf.")
    shelf_until: date | None = Field(
        description="Last day to collect it; null: not ready, or no reopening is announced."
    )


class HoldPlaced(HoldSnapshot, topic="hold.placed"):
    """Published when a patron places a hold on a title."""

    acting_patron_id: ActingPatron = None
    overridden: Overridden = None


class HoldChanged(HoldSnapshot, topic="hold.changed"):
    """Published for changes without a topic of their own.

    A copy was set aside from a shelf; a copy was sent to the pick-up branch; the pick-up branch,
    the last day or a freeze was changed; the copy was not available, so the hold waits again; a
    closure moved the last day on the shelf.
    """

    previous_shelf_until: date | None = Field(
        default=None, description="Set if a closure moved the last day on the shelf."
    )


class HoldReady(HoldSnapshot, topic="hold.ready"):
    """Published when a copy was scanned at the pick-up branch: it is on the hold shelf there."""


class HoldCollected(HoldSnapshot, topic="hold.collected"):
    """Published when the kept copy is lent to the patron."""


class HoldCancelled(HoldSnapshot, topic="hold.cancelled"):
    """Published when a hold is cancelled."""

    by: Literal["patron", "staff", "borrowed", "erased"] = Field(
        description="`borrowed`: the patron borrowed another copy. `erased`: the patron was erased."
    )
    acting_patron_id: ActingPatron = None


class HoldExpired(HoldSnapshot, topic="hold.expired"):
    """Published by the holds job for a hold that was not collected, or not served in time."""

    uncollected: bool = Field(description="True if a copy had been kept for the hold.")
