"""Sample events as the services publish them, with short ids, for the tests of all services.

Each builder accepts any field of its event by name, and fills in the others.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from shared.contracts import Event, accounts, calendars, catalogue, circulation, events, notices

E = TypeVar("E", bound=Event)
START = datetime(2021, 2, 1, 1, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Return the business time this many hours after START."""
    return START + timedelta(hours=hours)


def patron(kind: type[E], version: int, **more: Any) -> E:
    fields = {
        "patron_id": "patron-1",
        "category": "adult",
        "home_branch": "HKCL",
        "language": "en",
        "status": "active",
        "card_digest": "d" * 64,
    }
    return kind.model_validate({**fields, "version": version, **more})


def preferences(version: int, **more: Any) -> accounts.PreferencesChanged:
    fields = {
        "patron_id": "patron-1",
        "followed_branches": ("HKCL",),
        "activity_types": ("talk",),
        "language": "en",
        "channels": ("inbox",),
        "keep_history": False,
    }
    return accounts.PreferencesChanged.model_validate({**fields, "version": version, **more})


def session_ended(session_id: str = "session-1", **more: Any) -> accounts.SessionEnded:
    fields = {
        "session_id": session_id,
        "account_id": "patron-1",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return accounts.SessionEnded.model_validate({**fields, "version": 2, **more})


def receipt(patron_id: str) -> circulation.ReceiptRequested:
    """A receipt of one loan, to be sent."""
    item = {"loan_id": "loan-1", "title_id": "title-1", "due_on": date(2021, 2, 15)}
    facts = {"receipt_id": "receipt-1", "patron_id": patron_id, "branch": "HKCL", "loans": [item]}
    return circulation.ReceiptRequested.model_validate({"version": 1, **facts})


def payment_receipt(patron_id: str) -> circulation.PaymentReceiptRequested:
    """A receipt of a payment for one charge, to be sent."""
    part = {"charge_id": "charge-1", "charge_kind": "fine", "title_id": "title-1", "cents": 600}
    facts = {"payment_id": "payment-1", "patron_id": patron_id, "in_cash": True, "parts": [part]}
    paid_at = datetime(2021, 2, 15, 4, tzinfo=UTC)
    return circulation.PaymentReceiptRequested.model_validate(
        {"version": 2, "paid_at": paid_at, "amount_cents": 600, **facts}
    )


def loan(kind: type[E], version: int, loan_id: str = "loan-1", **more: Any) -> E:
    fields = {
        "loan_id": loan_id,
        "patron_id": "patron-1",
        "title_id": "title-1",
        "copy_id": f"copy-of-{loan_id}",
        "barcode": f"barcode-of-{loan_id}",
        "category": "adult",
        "branch": "HKCL",
        "branch_kind": "central",
        "borrowed_on": date(2021, 2, 1),
        "due_on": date(2021, 2, 15),
        "renewals": 0,
        "renewals_left": 5,
        "renewals_allowed": 5,
        "state": "open",
        "previous_due_on": date(2021, 2, 15),
        "reference": "R-1",
        "cause": "closure-1",
        "overdue_on": date(2021, 2, 16),
        "return_branch": "HKCL",
        "channel": "desk",
    }
    return kind.model_validate({**fields, "version": version, **more})


def returned(version: int, loan_id: str = "loan-1", **more: Any) -> Event:
    fields = {"state": "returned", "returned_on": date(2021, 2, 10), **more}
    return loan(circulation.LoanReturned, version, loan_id, **fields)


def hold(kind: type[E], version: int, hold_id: str = "hold-1", **more: Any) -> E:
    fields = {
        "hold_id": hold_id,
        "patron_id": "patron-1",
        "title_id": "title-1",
        "pickup_branch": "HKCL",
        "state": "waiting",
        "place": 1,
        "placed_at": START,
        "expires_on": date(2021, 6, 30),
        "frozen": False,
        "frozen_until": None,
        "copy_id": None,
        "ready_on": None,
        "shelf_until": None,
        "by": "patron",
        "uncollected": False,
    }
    return kind.model_validate({**fields, "version": version, **more})


def title(version: int, text: str, title_id: str = "title-1") -> catalogue.TitleCatalogued:
    return catalogue.TitleCatalogued(
        version=version,
        title_id=title_id,
        title=text,
        authors=("An Author",),
        isbn=None,
        kind="book",
        copies=(),
    )


def fine(version: int, charge_id: str = "charge-1", cents: int = 450, **more: Any) -> Event:
    fields = {
        "charge_id": charge_id,
        "patron_id": "patron-1",
        "loan_id": "loan-1",
        "kind": "fine",
        "amount_cents": cents,
        "outstanding_cents": cents,
        "assessed_on": date(2021, 2, 18),
        "due_on": date(2021, 2, 15),
        "charged_days": 3,
        "spans": (),
    }
    return circulation.FineAssessed.model_validate({**fields, "version": version, **more})


def charge(kind: type[E], version: int, **more: Any) -> E:
    """A snapshot of charge-2 after an adjustment, a waiver and a payment."""
    fields = {
        "charge_id": "charge-2",
        "patron_id": "patron-1",
        "loan_id": "loan-1",
        "kind": "fine",
        "assessed_on": date(2021, 2, 18),
        "lowered_cents": 150,
        "waived_cents": 100,
        "paid_cents": 200,
        "payment_id": "payment-1",
        "cause": "closure-1",
    }
    return kind.model_validate({**fields, "version": version, **more})


def notification(kind: type[E], version: int, read: bool, key: str = "told-1") -> E:
    return kind.model_validate(
        {
            "version": version,
            "notification_id": key,
            "patron_id": "patron-1",
            "kind": "loan.overdue",
            "read": read,
        }
    )


def enquiry(kind: type[E], version: int, enquiry_id: str = "enquiry-1", **more: Any) -> E:
    fields = {
        "enquiry_id": enquiry_id,
        "patron_id": "patron-1",
        "state": "new",
        "open": more.get("state") != "closed",
        "language": "en",
        "opened_at": START,
        "messages": version,
    }
    return kind.model_validate({**fields, "version": version, **more})


def branch(event: type[E], version: int, code: str = "HKCL", /, **more: Any) -> E:
    """A branch; `kind` is the kind of the library."""
    fields = {
        "branch": code,
        "name": f"Library {code}",
        "kind": "central",
        "hours": (),
        "closure_id": "closure-1",
        "reopened_on": date(2021, 2, 19),
    }
    return event.model_validate({**fields, "version": version, **more})


def suspension(kind: type[E], version: int, **more: Any) -> E:
    fields = {
        "suspension_id": "suspension-1",
        "starts_on": date(2021, 2, 1),
        "resumes_on": None,
        "branches": (),
        "kinds": (),
        "reason": "Closed",
    }
    return kind.model_validate({**fields, "version": version, **more})


def closure(
    closure_id: str,
    first: date,
    *announced: tuple[int, date | None],
    reason: str = "Closed",
    extra_renewals: int = 0,
) -> calendars.ClosureOut:
    """A closure with its announcements, each as (branch version, first open day or None)."""
    return calendars.ClosureOut(
        closure_id=closure_id,
        from_=first,
        reason=reason,
        announcements=tuple(
            calendars.Announcement(
                version=version,
                at=datetime(2020, 12, 1, version, tzinfo=UTC),
                reopened_on=reopened_on,
            )
            for version, reopened_on in announced
        ),
        extra_renewals=extra_renewals,
    )


def activity(
    activity_id: str = "talk-1",
    version: int = 1,
    *,
    kind: type[events.ActivitySnapshot] = events.ActivityPublished,
    **more: Any,
) -> Event:
    fields = {
        "activity_id": activity_id,
        "title": f"About {activity_id}",
        "type": "talk",
        "venue": "Online",
        "branch": None,
        "starts_at": at(240),
        "organiser": "The library",
    }
    return kind.model_validate({**fields, "version": version, **more})


def registration(kind: type[E], version: int, key: str = "reg-1", **more: Any) -> E:
    fields = {
        "registration_id": key,
        "activity_id": "talk-1",
        "patron_id": "patron-1",
        "state": "confirmed",
        "turn": 1,
        "registered_at": START,
        "waited": False,
        "by": "patron",
    }
    return kind.model_validate({**fields, "version": version, **more})


def admission(kind: type[E], version: int, key: str = "application-1", **more: Any) -> E:
    fields = {
        "application_id": key,
        "season_id": "season-1",
        "season": "Examinations of 2021",
        "patron_id": "patron-1",
        "branch": "HKCL",
        "state": "applied",
        "applied_at": START,
        "valid_from": date(2021, 3, 15),
        "valid_until": date(2021, 5, 20),
        "waited": False,
        "by": "patron",
    }
    return kind.model_validate({**fields, "version": version, **more})


def seat(kind: type[E], version: int, key: str = "seat-1", **more: Any) -> E:
    fields = {
        "seat_id": key,
        "application_id": "application-1",
        "season_id": "season-1",
        "season": "Examinations of 2021",
        "patron_id": "patron-1",
        "branch": "HKCL",
        "starts_at": at(1000),
        "ends_at": at(1004),
        "until": at(1000.5),
        "state": "held",
        "promoted": True,
    }
    return kind.model_validate({**fields, "version": version, **more})


def alert(kind: type[E], key: str = "alert-1", **more: Any) -> E:
    fields = {"alert_id": key, "patron_id": "patron-1", "by": "patron", "version": 1}
    return kind.model_validate({**fields, **more})


def link(kind: type[E], version: int, key: str = "link-1", **more: Any) -> E:
    fields = {"link_id": key, "patron_id": "patron-1", "member_id": "patron-2", "linked": True}
    return kind.model_validate({**fields, "version": version, **more})


def booking(kind: type[E], version: int, key: str = "booking-1", **more: Any) -> E:
    fields = {
        "booking_id": key,
        "patron_id": "patron-1",
        "branch": "HKCL",
        "starts_at": at(1000),
        "ends_at": at(1004),
        "until": at(1000.5),
        "state": "booked",
        "closure_id": "closure-1",
    }
    return kind.model_validate({**fields, "version": version, **more})


def notice(
    notice_id: str = "notice-1",
    version: int = 1,
    *,
    kind: type[notices.NoticeSnapshot] = notices.NoticePublished,
    **more: Any,
) -> Event:
    fields = {
        "notice_id": notice_id,
        "branches": ("HKCL",),
        "title": "News",
        "content": f"What {notice_id} says",
        "date": date(2021, 2, 3),
    }
    return kind.model_validate({**fields, "version": version, **more})
