"""Published by circulation: titles, loans, fines and fine suspensions. Money in cents of HKD."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Event


class CopyOut(BaseModel):
    """A copy of a title."""

    model_config = ConfigDict(frozen=True)

    copy_id: str
    barcode: str
    category: str = Field(
        description="As `adult`, `young-adult`, `children`; a library may have others."
    )
    branch: str = Field(description="Code of the branch that owns the copy.")


class TitleCatalogued(
    Event,
    topic="title.catalogued",
    publisher="circulation",
    key="title_id",
    subject="title_id",
):
    """Published when a title is catalogued or its copies change: the one event with book titles."""

    title_id: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str = Field(description="As `book`.")
    copies: tuple[CopyOut, ...]


class LoanSnapshot(Event):
    """A loan after a change."""

    loan_id: str
    patron_id: str
    title_id: str
    copy_id: str
    barcode: str
    category: str = Field(description="The copy's category.")
    branch: str = Field(description="Code of the lending branch.")
    branch_kind: str
    borrowed_on: date
    due_on: date
    renewals: int
    renewals_left: int = Field(
        description="By the policy. A closure of the branch may grant more while it lasts."
    )
    renewals_allowed: int | None = Field(
        default=None, description="How many the policy of the loan allows in all."
    )
    state: Literal["open", "returned", "lost"]
    returned_on: date | None = None
    claimed_returned_on: date | None = Field(
        default=None,
        description="Since when the patron says that it is back, while it is looked for.",
    )


class LoanCheckedOut(
    LoanSnapshot,
    topic="loan.checked-out",
    publisher="circulation",
    key="patron_id",
    subject="loan_id",
):
    """Published when a copy is lent."""


class LoanRenewed(
    LoanSnapshot, topic="loan.renewed", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published when a loan is renewed."""

    previous_due_on: date
    reference: str = Field(description="What the patron can quote.")


class LoanDueDateChanged(
    LoanSnapshot,
    topic="loan.due-date-changed",
    publisher="circulation",
    key="patron_id",
    subject="loan_id",
):
    """Published when a closure moves a due date."""

    previous_due_on: date
    cause: str = Field(description="Id of the closure that moved it.")


class LoanOverdue(
    LoanSnapshot, topic="loan.overdue", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published by the overdue job when a loan is overdue by the rule: first, and on later days.

    Each notice comes once for each due date.
    """

    overdue_on: date = Field(description="The day for which the job ran.")
    notice: int = Field(default=1, ge=1, description="The how manieth of this due date: 1, 2 …")


class LoanDueSoon(
    LoanSnapshot, topic="loan.due-soon", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published by the due-soon job, once for each due date, in the last days before it."""

    noticed_on: date = Field(description="The day for which the job ran.")


class LoanReturned(
    LoanSnapshot, topic="loan.returned", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published when a copy comes back."""

    return_branch: str
    channel: Literal["desk", "station", "book-drop"]


class LoanLost(
    LoanSnapshot, topic="loan.lost", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published when a loan is declared lost. What it costs is published by `fine.assessed`.

    If the copy is found, `loan.returned` follows, and `fine.adjusted` with the price credited.
    """

    lost_on: date
    declared_by: Literal["patron", "staff", "rule"] = Field(
        description="`rule`: it was overdue for as many days as its policy allows."
    )


class LoanClaimed(
    LoanSnapshot, topic="loan.claimed", publisher="circulation", key="patron_id", subject="loan_id"
):
    """Published when a patron says that a copy was returned which is still on loan to them.

    Published again, without `claimed_returned_on`, when it was looked for and not found.
    """


class CauseOut(BaseModel):
    """Why days were free or charged."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["closure", "weekly-closing", "suspension", "policy"]
    id: str
    version: int
    reason: str
    also: tuple["CauseOut", ...] = Field(default=(), description="Further causes, if several.")


class SpanOut(BaseModel):
    """Neighbouring overdue days with one disposition."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    days: int
    disposition: Literal["suspended", "closed", "grace", "charged", "capped"]
    amount_cents: int
    cause: CauseOut


class Standing(BaseModel):
    """What a patron owes after a change: the newest `version` holds, whatever charge it came by."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(ge=1, description="Counts the changes of what circulation counts of them.")
    outstanding_cents: int = Field(ge=0)
    blocked: bool = Field(description="Whether it is so much that they may not borrow.")


class ChargeSnapshot(Event):
    """A charge after a change."""

    charge_id: str
    patron_id: str
    loan_id: str = Field(description="Empty for a hold fee, which has a `hold_id`.")
    kind: Literal["fine", "lost", "hold-fee"]
    amount_cents: int = Field(ge=0, description="What is charged, after any credit.")
    outstanding_cents: int = Field(ge=0)
    currency: str = "HKD"
    assessed_on: date
    hold_id: str | None = None
    processing: bool = Field(
        default=False, description="Of `lost`: for the work of replacing, not for the copy's price."
    )
    refund_due_cents: int = Field(default=0, description="What the library owes of what was paid.")
    standing: Standing | None = None


class FineAssessed(
    ChargeSnapshot,
    topic="fine.assessed",
    publisher="circulation",
    key="patron_id",
    subject="charge_id",
):
    """Published when money over 0 becomes a charge, whatever its kind.

    A fine, at return, renewal or loss, comes with its statement. Other charges have no overdue
    days: `due_on` is the day of assessment then, and `spans` is empty.
    """

    due_on: date = Field(description="The day from which the overdue days are counted.")
    charged_days: int
    spans: tuple[SpanOut, ...]


class FineAdjusted(
    ChargeSnapshot,
    topic="fine.adjusted",
    publisher="circulation",
    key="patron_id",
    subject="charge_id",
):
    """Published when a charge turns out lower, or when what was due back was given back."""

    lowered_cents: int = Field(ge=0, description="By how much; 0: a refund was given.")
    refunded_cents: int = Field(default=0, description="What was given back now.")
    cause: str = Field(description="Id of what it is for: a closure, suspension, loan or refund.")


class FinePaid(
    ChargeSnapshot,
    topic="fine.paid",
    publisher="circulation",
    key="patron_id",
    subject="charge_id",
):
    """Published for each charge of a payment, once the money was taken."""

    paid_cents: int = Field(ge=0, description="What this payment paid for this charge.")
    payment_id: str


class FineWaived(
    ChargeSnapshot,
    topic="fine.waived",
    publisher="circulation",
    key="patron_id",
    subject="charge_id",
):
    """Published when staff waive a charge or part of it. Their reason stays in the ledger."""

    waived_cents: int = Field(ge=0, description="What was waived now.")


class HoldSnapshot(Event):
    """A hold after a change."""

    hold_id: str
    patron_id: str
    title_id: str
    pickup_branch: str
    state: Literal["waiting", "in-transit", "ready", "collected", "cancelled", "expired"]
    place: int = Field(
        description="Counts the holds placed on the title. Of those that wait, as many come "
        "before this one as have a lower place: that is its position."
    )
    placed_at: datetime
    expires_on: date | None = Field(description="Last day on which the patron wants to wait.")
    frozen: bool = Field(description="Whether it is passed over, at its patron's wish.")
    frozen_until: date | None = Field(description="First day after that; null: until told.")
    copy_id: str | None = Field(description="The copy that is on its way, kept or collected.")
    ready_on: date | None = Field(description="Since when the copy is on the shelf.")
    shelf_until: date | None = Field(
        description="Last day to collect it; null: not ready, or no reopening is announced."
    )


class HoldPlaced(
    HoldSnapshot, topic="hold.placed", publisher="circulation", key="patron_id", subject="hold_id"
):
    """Published when a patron reserves a title."""


class HoldChanged(
    HoldSnapshot, topic="hold.changed", publisher="circulation", key="patron_id", subject="hold_id"
):
    """Published for changes that have no topic of their own.

    A copy was sent to the pick-up branch; the pick-up branch, the last day or a freeze was changed;
    the copy could not be had, so the hold waits again; a closure moved the last day on the shelf.
    """

    previous_shelf_until: date | None = Field(
        default=None, description="Set where a closure moved the last day on the shelf."
    )


class HoldReady(
    HoldSnapshot, topic="hold.ready", publisher="circulation", key="patron_id", subject="hold_id"
):
    """Published when a copy is put on the hold shelf of the pick-up branch."""


class HoldCollected(
    HoldSnapshot,
    topic="hold.collected",
    publisher="circulation",
    key="patron_id",
    subject="hold_id",
):
    """Published when the copy that was kept is lent to the patron."""


class HoldCancelled(
    HoldSnapshot,
    topic="hold.cancelled",
    publisher="circulation",
    key="patron_id",
    subject="hold_id",
):
    """Published when a hold is given up."""

    by: Literal["patron", "staff", "borrowed", "erased"] = Field(
        description="`borrowed`: the patron borrowed another copy. `erased`: the patron was."
    )


class HoldExpired(
    HoldSnapshot, topic="hold.expired", publisher="circulation", key="patron_id", subject="hold_id"
):
    """Published by the holds job for what was not collected, or was not served in time."""

    uncollected: bool = Field(description="Whether a copy had been kept for it.")


class SuspensionSnapshot(Event):
    """A fine suspension after a change; keyed by its id."""

    suspension_id: str
    starts_on: date
    resumes_on: date | None
    branches: tuple[str, ...] = Field(description="Branch codes in scope; empty: see `kinds`.")
    kinds: tuple[str, ...] = Field(description="Branch kinds in scope.")
    reason: str
    withdrawn_on: date | None = Field(
        default=None, description="The day on which it was taken back, if it was."
    )


class FinesSuspended(
    SuspensionSnapshot,
    topic="fines.suspended",
    publisher="circulation",
    key="suspension_id",
    subject="suspension_id",
):
    """Published when a fine suspension is recorded or its day of resumption is (re)announced."""


class FinesResumed(
    SuspensionSnapshot,
    topic="fines.resumed",
    publisher="circulation",
    key="suspension_id",
    subject="suspension_id",
):
    """Published once, when fines are counted again: by the job of that day, or at a withdrawal."""
