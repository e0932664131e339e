"""Examples of each notification kind: its event in a story, and the facts that its text names."""

from dataclasses import dataclass

from shared.contracts import Event
from shared.contracts.accounts import (
    AlertOfCard,
    AlertOfContact,
    AlertOfDevice,
    AlertOfPasskey,
    AlertOfPin,
    AlertToConfirm,
    PatronApplied,
    PatronBlocked,
    PatronCameOfAge,
    PatronCardExpiring,
    PatronCardRenewed,
    PatronInvited,
    PatronLinked,
    PatronUnblocked,
    PatronUnlinked,
    PatronUpdated,
    PinIssued,
    PinReset,
    PinResetRequested,
)
from shared.contracts.circulation import (
    FineAdjusted,
    FinePaid,
    FineWaived,
    HoldCancelled,
    HoldChanged,
    HoldExpired,
    HoldReady,
)
from shared.contracts.events import (
    AdmissionGranted,
    AdmissionPromoted,
    AdmissionStandby,
    BookingEndedByClosure,
    BookingRestored,
)
from shared.contracts.notices import EnquiryAnswered, EnquiryClosed
from tests import samples
from tests.notices import library
from tests.notices.lending import Lending


@dataclass(frozen=True)
class Happened:
    id: str
    at: str
    event: Event


def story() -> list[Happened]:
    """Return an event of every type that notices subscribes to, in order of time."""
    snapshot = library.registered("a").model_dump()
    told: list[Event] = [
        library.registered("a", language="zh-Hant"),
        library.registered("b"),
        library.registered("c"),
        library.title(1, "Jane Eyr"),
        library.title(2),
        library.announced("activity-1", "Factory"),
        library.prefers("a", 1, ("HKCL",), ("talk",)),
        library.prefers("b", 1, ("HKCL", "TPO")),
        library.prefers("c", 1, ("HKCL",), ("talk",)),
        library.due_soon("loan-b", "b"),
        library.overdue("loan-a", "a"),
        library.overdue("loan-b", "b"),
        library.fine("charge-a", "a"),
        library.suspended(),
        library.reopened("HKCL", 3),
        library.prefers("b", 2, ("TPO",)),
        library.prefers("a", 2, (), ("talk",), language="zh-Hans"),
        library.reopened("HKCL", 4),
        library.moved("loan-a", "a"),
        library.reopened("TPO", 3),
        library.changed("TPO", "reopening-taken-back"),
        library.closed("TPO", 5),
        PatronUpdated.model_validate({**snapshot, "patron_id": "b", "version": 2}),
        PatronBlocked.model_validate(
            {**snapshot, "patron_id": "b", "version": 3, "language": "zh-Hant"}
        ),
        PatronUnblocked.model_validate({**snapshot, "patron_id": "b", "version": 4}),
        library.released("activity-1"),
        library.prefers("b", 3, ("HKCL",), ("exhibition",)),
        library.reopened("TPO", 4),
        library.resumed(),
        library.erased("c"),
        library.reopened("HKCL", 5),
        library.overdue("loan-c", "c"),
        library.charge(FineWaived, "e"),
        library.charge(FineAdjusted, "e"),
        library.charge(FinePaid, "e"),
        library.lost("loan-e", "e"),
        library.renewed("loan-f", "e", automatic=True),
        library.renewed("loan-g", "e", automatic=False),
        samples.receipt("e"),
        samples.payment_receipt("e"),
        library.hold(HoldReady, 2, patron_id="e", state="ready"),
        library.hold(
            HoldChanged, 3, patron_id="e", state="ready", previous_shelf_until="2021-02-20"
        ),
        library.hold(HoldExpired, 4, patron_id="e", state="expired", uncollected=True),
        library.hold(
            HoldCancelled, 2, patron_id="e", hold_id="hold-2", state="cancelled", by="staff"
        ),
        library.confirmed("activity-2", "e", waited=True),
        library.rescheduled("activity-2"),
        library.called_off("activity-2", "e"),
        samples.enquiry(EnquiryAnswered, 2, patron_id="e", state="answered", outcome="bought"),
        samples.enquiry(EnquiryClosed, 3, patron_id="e", state="closed", merged_into="enquiry-2"),
        samples.admission(AdmissionStandby, 2, patron_id="e", state="standby", standby_number=3),
        samples.admission(AdmissionGranted, 3, patron_id="e", state="granted", waited=True),
        samples.seat(AdmissionPromoted, 1, patron_id="e"),
        samples.booking(BookingEndedByClosure, 2, patron_id="e", state="cancelled"),
        samples.booking(BookingRestored, 3, patron_id="e"),
        PinResetRequested(patron_id="e", reset_id="reset-1", version=1),
        PinReset(patron_id="e", reset_id="reset-1", version=2),
        PinIssued(account_id="lee", reset_id="code-1", version=1),
        PatronApplied(application_id="application-1", version=1),
        samples.alert(AlertOfPin, patron_id="e"),
        samples.alert(AlertOfCard, patron_id="e", by="staff"),
        samples.alert(AlertOfContact, patron_id="e", asked=True),
        samples.alert(AlertToConfirm, patron_id="e"),
        samples.alert(AlertOfDevice, patron_id="e"),
        samples.alert(AlertOfPasskey, patron_id="e", added=True),
        PatronCameOfAge.model_validate({**snapshot, "patron_id": "e", "version": 2}),
        PatronInvited(patron_id="e", invitation_id="invitation-1", version=1),
        samples.link(PatronLinked, 1, patron_id="e"),
        samples.link(PatronUnlinked, 2, patron_id="e", linked=False, by="member"),
        samples.patron(PatronCardExpiring, 3, patron_id="e", card_expires_on="2021-03-01"),
        samples.patron(PatronCardRenewed, 4, patron_id="e", card_expires_on="2022-03-01"),
    ]
    return [
        Happened(f"event-{number}", f"2021-02-{number // 24 + 1:02}T{number % 24:02}:00:00Z", event)
        for number, event in enumerate(told)
    ]


def answers(lending: Lending) -> None:
    """Set the answers of circulation for the whole story."""
    lending.owes("loan-a", 750)
    lending.owes("loan-b", 750, suspended=True, resumes_on="2021-03-05")
    lending.owes("loan-c", 150)
    lending.charges["charge-a"] = {"amount_cents": 750, "outstanding_cents": 750}
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    lending.charges["charge-1"] = {"amount_cents": 450, "outstanding_cents": 0}
    lending.loans["loan-e"] = {"state": "lost", "due_on": "2020-12-04"}
    lending.loans["loan-f"] = {"state": "open", "due_on": "2020-12-04"}
    lending.loans["loan-b"] = {"state": "open", "due_on": "2020-12-04"}
    lending.borrowers["s-1"] = ["a", "b", "c", "d"]
    lending.registered["activity-2"] = ["e", "c"]


INBOXES = [
    [
        "fines.resumed",
        "recording.released",
        "loan.due-date-changed",
        "branch.reopened",
        "fines.suspended",
        "fine.assessed",
        "loan.overdue",
    ],
    [
        "branch.reopened",
        "fines.resumed",
        "branch.closed",
        "branch.closure-changed",
        "branch.reopened",
        "branch.reopened",
        "fines.suspended",
        "loan.overdue",
        "loan.due-soon",
    ],
    [],
    ["fines.resumed", "fines.suspended"],
    [
        *("patron.card-renewed", "patron.card-expiring"),
        *("patron.unlinked", "patron.linked", "patron.invited"),
        "patron.came-of-age",
        "alert.passkey-changed",
        *("alert.new-device", "alert.address-to-confirm", "alert.contact-changed"),
        *("alert.card-replaced", "alert.pin-changed", "pin.reset", "pin.reset-requested"),
        *("booking.restored", "booking.ended-by-closure"),
        *("admission.promoted", "admission.granted", "admission.standby"),
        *("enquiry.closed", "enquiry.answered"),
        *("registration.cancelled", "activity.rescheduled", "registration.confirmed"),
        *("hold.cancelled", "hold.expired", "hold.changed", "hold.ready"),
        *("payment.receipt-requested", "receipt.requested"),
        *("loan.renewed", "loan.lost", "fine.paid", "fine.adjusted", "fine.waived"),
    ],
]
"""Kinds of the notifications of patrons a to e after the story, newest first."""

SAYS = {
    "loan.renewed": {"title", "due_on"},
    "loan.due-soon": {"title", "due_on"},
    "receipt.requested": {"branch"},
    "payment.receipt-requested": {"amount", "paid_at", "payment_id"},
    "loan.overdue": {"title", "due_on", "as_of", "amount"},
    "loan.due-date-changed": {"title", "due_on", "previous_due_on"},
    "fine.assessed": {"title", "amount", "outstanding"},
    "fine.adjusted": {"title", "amount", "refund"},
    "fine.paid": {"title", "amount"},
    "fine.waived": {"title", "amount"},
    "loan.lost": {"title"},
    "fines.suspended": {
        *("starts_on", "previous_starts_on", "resumes_on", "previous_resumes_on", "libraries"),
    },
    "fines.resumed": {"resumes_on", "previous_resumes_on", "libraries"},
    "branch.reopened": {"branch", "reopened_on", "previous_reopened_on"},
    "branch.closed": {"branch", "reopened_on", "previous_reopened_on"},
    "branch.closure-changed": {"branch", "reopened_on", "previous_reopened_on"},
    "recording.released": {"activity"},
    "enquiry.answered": {"subject"},
    "enquiry.closed": {"subject"},
    "admission.granted": {"branch", "season", "valid_from", "valid_until"},
    "admission.standby": {"branch", "season", "number"},
    "admission.promoted": {"branch", "season", "held_until"},
    "booking.ended-by-closure": {"branch", "begins_at"},
    "booking.restored": {"branch", "begins_at"},
    "pin.reset-requested": set(),
    "pin.reset": set(),
    "alert.pin-changed": set(),
    "alert.card-replaced": set(),
    "alert.contact-changed": set(),
    "alert.address-to-confirm": set(),
    "alert.new-device": set(),
    "alert.passkey-changed": set(),
    "patron.came-of-age": set(),
    "patron.card-expiring": {"expires_on"},
    "patron.card-renewed": {"expires_on"},
    "patron.invited": set(),
    "patron.linked": set(),
    "patron.unlinked": set(),
    "hold.ready": {"title", "branch", "collect_from", "shelf_until"},
    "hold.changed": {"title", "branch", "collect_from", "shelf_until"},
    "hold.expired": {"title"},
    "hold.cancelled": {"title"},
    "registration.confirmed": {"activity", "begins_at"},
    "registration.cancelled": {"activity", "begins_at"},
    "activity.rescheduled": {
        *("activity", "begins_at", "previous_begins_at", "venue", "previous_venue"),
    },
}
"""For each kind: the facts that its text names."""
