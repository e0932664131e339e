"""Events as the services publish them, with short ids: what the gateway's tests tell."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.contracts import Event, accounts, circulation, events, notices

START = datetime(2021, 2, 1, 1, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Business time, some hours into the story."""
    return START + timedelta(hours=hours)


def patron(kind: type[accounts.PatronSnapshot], version: int, **more: Any) -> Event:
    fields = {
        "patron_id": "patron-1",
        "category": "adult",
        "home_branch": "HKCL",
        "language": "en",
        "status": "active",
        "card_digest": "d" * 64,
    }
    return kind.model_validate({**fields, "version": version, **more})


def preferences(version: int, **more: Any) -> Event:
    fields = {
        "patron_id": "patron-1",
        "followed_branches": ("HKCL",),
        "activity_types": ("talk",),
        "language": "en",
        "channels": ("inbox",),
        "keep_history": False,
    }
    return accounts.PreferencesChanged.model_validate({**fields, "version": version, **more})


def loan(
    kind: type[circulation.LoanSnapshot], version: int, loan_id: str = "loan-1", **more: Any
) -> Event:
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


def hold(
    kind: type[circulation.HoldSnapshot], version: int, hold_id: str = "hold-1", **more: Any
) -> Event:
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


def title(version: int, text: str, title_id: str = "title-1") -> Event:
    return circulation.TitleCatalogued(
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


def charge(kind: type[Event], version: int, **more: Any) -> Event:
    """The second charge of the story, after a change."""
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


def notification(
    kind: type[notices.NotificationSnapshot], version: int, read: bool, key: str = "told-1"
) -> Event:
    return kind.model_validate(
        {
            "version": version,
            "notification_id": key,
            "patron_id": "patron-1",
            "kind": "loan.overdue",
            "read": read,
        }
    )


def branch(
    kind: type[notices.BranchSnapshot], version: int, code: str = "HKCL", **more: Any
) -> Event:
    fields = {
        "branch": code,
        "name": f"Library {code}",
        "kind": "central",
        "hours": (),
        "closure_id": "closure-1",
        "reopened_on": date(2021, 2, 19),
    }
    return kind.model_validate({**fields, "version": version, **more})


def suspension(kind: type[circulation.SuspensionSnapshot], version: int, **more: Any) -> Event:
    fields = {
        "suspension_id": "suspension-1",
        "starts_on": date(2021, 2, 1),
        "resumes_on": None,
        "branches": (),
        "kinds": (),
        "reason": "Closed",
    }
    return kind.model_validate({**fields, "version": version, **more})


def closed(
    closure_id: str, first: date, reopened_on: date | None, extra_renewals: int = 0
) -> dict[str, Any]:
    """A closure as a branch's events have it."""
    announced = {"version": 2, "at": START, "reopened_on": reopened_on}
    return {
        "closure_id": closure_id,
        "from": first,
        "reason": "Closed",
        "announcements": [announced],
        "extra_renewals": extra_renewals,
    }


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


def registration(
    kind: type[events.RegistrationSnapshot], version: int, key: str = "reg-1", **more: Any
) -> Event:
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


def notice(notice_id: str = "notice-1", version: int = 1, **more: Any) -> Event:
    fields = {
        "notice_id": notice_id,
        "branches": ("HKCL",),
        "title": "News",
        "content": f"What {notice_id} says",
        "date": date(2021, 2, 3),
    }
    return notices.NoticePublished.model_validate({**fields, "version": version, **more})


def whole_story() -> list[tuple[Event, datetime]]:
    """Every event type that the gateway hears, in an order in which it can happen."""
    told = [
        patron(accounts.PatronRegistered, 1),
        preferences(1),
        branch(notices.BranchRegistered, 1),
        title(1, "$cheap edition"),
        loan(circulation.LoanCheckedOut, 1),
        loan(circulation.LoanCheckedOut, 1, "loan-2"),
        loan(circulation.LoanCheckedOut, 1, "loan-3", title_id="title-2"),
        activity(),
        activity("talk-2"),
        activity(version=2, kind=events.ActivityRescheduled, venue="Hall"),
        activity("talk-2", 2, kind=events.ActivityCancelled, cancelled=True, reason="Closed"),
        activity(version=3, kind=events.RecordingReleased, venue="Hall"),
        branch(notices.BranchClosed, 2),
        notice(),
        loan(circulation.LoanDueDateChanged, 2, due_on=date(2021, 2, 19)),
        branch(notices.BranchReopened, 3),
        suspension(circulation.FinesSuspended, 1),
        patron(accounts.PatronUpdated, 2, home_branch="STPL"),
        preferences(2, followed_branches=("HKCL", "STPL"), activity_types=()),
        loan(circulation.LoanOverdue, 3, due_on=date(2021, 2, 19)),
        notification(notices.NotificationDelivered, 1, read=False),
        notification(notices.NotificationDelivered, 1, read=False, key="told-2"),
        returned(2, "loan-2"),
        fine(1, loan_id="loan-2"),
        patron(accounts.PatronBlocked, 3, home_branch="STPL", status="blocked"),
        title(1, "Another book", "title-2"),
        title(2, "A corrected title"),
        loan(circulation.LoanRenewed, 4, due_on=date(2021, 3, 5), renewals=1, renewals_left=4),
        notification(notices.NotificationRead, 2, read=True),
        patron(accounts.PatronUnblocked, 4, home_branch="STPL"),
        branch(notices.BranchHoursChanged, 4, name="The Library"),
        branch(notices.BranchClosureChanged, 5, name="The Library", change="amended"),
        suspension(circulation.FinesResumed, 2, resumes_on=date(2021, 2, 19)),
        patron(accounts.PatronRegistered, 1, patron_id="patron-2"),
        loan(circulation.LoanCheckedOut, 1, "loan-9", patron_id="patron-2"),
        returned(2, "loan-9", patron_id="patron-2"),
        patron(
            accounts.PatronErased,
            2,
            patron_id="patron-2",
            status="erased",
            category="",
            home_branch="",
            language="",
            card_digest="",
        ),
        hold(circulation.HoldPlaced, 1),
        hold(circulation.HoldPlaced, 1, "hold-2", title_id="title-3", place=3),
        hold(circulation.HoldPlaced, 1, "hold-3", title_id="title-2", place=4),
        hold(circulation.HoldPlaced, 1, "hold-4", title_id="title-3", patron_id="patron-3"),
        hold(circulation.HoldPlaced, 1, "hold-5"),
        hold(circulation.HoldPlaced, 1, "hold-6"),
        title(1, "A reserved book", "title-3"),
        hold(circulation.HoldReady, 2, state="ready", shelf_until=date(2021, 2, 9)),
        hold(circulation.HoldCollected, 3, state="collected"),
        hold(circulation.HoldChanged, 2, "hold-3", title_id="title-2", state="in-transit"),
        hold(circulation.HoldCancelled, 2, "hold-5", state="cancelled"),
        hold(circulation.HoldExpired, 2, "hold-6", state="expired"),
        loan(circulation.LoanCheckedOut, 1, "loan-4"),
        loan(circulation.LoanDueSoon, 2, "loan-4", noticed_on=date(2021, 2, 13)),
        loan(circulation.LoanClaimed, 3, "loan-4", claimed_returned_on=date(2021, 2, 20)),
        loan(
            circulation.LoanLost,
            4,
            "loan-4",
            state="lost",
            lost_on=date(2021, 2, 25),
            declared_by="patron",
        ),
        registration(events.RegistrationConfirmed, 1),
        registration(events.RegistrationWaitlisted, 1, "reg-2", state="waitlisted", turn=2),
        registration(events.RegistrationConfirmed, 1, "reg-3", activity_id="talk-2"),
        registration(events.RegistrationCancelled, 2, "reg-3", state="cancelled"),
        fine(1, "charge-2"),
        charge(circulation.FineAdjusted, 2, amount_cents=300, outstanding_cents=300),
        charge(circulation.FineWaived, 3, amount_cents=300, outstanding_cents=200),
        charge(circulation.FinePaid, 4, amount_cents=300, outstanding_cents=0),
    ]
    return [(event, at(hours)) for hours, event in enumerate(told)]
