"""One event of every type that the gateway consumes, as a story."""

from datetime import date, datetime

from shared.contracts import Event, accounts, circulation, events, notices
from tests import samples


def whole_story() -> list[tuple[Event, datetime]]:
    """Return events of every type that the gateway subscribes to, in a possible order."""
    told = [
        samples.patron(accounts.PatronRegistered, 1),
        samples.preferences(1),
        samples.branch(notices.BranchRegistered, 1),
        samples.title(1, "$cheap edition"),
        samples.loan(circulation.LoanCheckedOut, 1),
        samples.loan(circulation.LoanCheckedOut, 1, "loan-2"),
        samples.loan(circulation.LoanCheckedOut, 1, "loan-3", title_id="title-2"),
        samples.activity(),
        samples.activity("talk-2"),
        samples.activity(version=2, kind=events.ActivityRescheduled, venue="Hall"),
        samples.activity(
            "talk-2", 2, kind=events.ActivityCancelled, cancelled=True, reason="Closed"
        ),
        samples.activity(version=3, kind=events.RecordingReleased, venue="Hall"),
        samples.branch(notices.BranchClosed, 2),
        samples.notice(),
        samples.loan(circulation.LoanDueDateChanged, 2, due_on=date(2021, 2, 19)),
        samples.branch(notices.BranchReopened, 3),
        samples.suspension(circulation.FinesSuspended, 1),
        samples.patron(accounts.PatronUpdated, 2, home_branch="STPL"),
        samples.preferences(2, followed_branches=("HKCL", "STPL"), activity_types=()),
        samples.loan(circulation.LoanOverdue, 3, due_on=date(2021, 2, 19)),
        samples.notification(notices.NotificationDelivered, 1, read=False),
        samples.notification(notices.NotificationDelivered, 1, read=False, key="told-2"),
        samples.returned(2, "loan-2"),
        samples.fine(1, loan_id="loan-2"),
        samples.patron(accounts.PatronBlocked, 3, home_branch="STPL", status="blocked"),
        samples.title(1, "Another book", "title-2"),
        samples.title(2, "A corrected title"),
        samples.loan(
            circulation.LoanRenewed, 4, due_on=date(2021, 3, 5), renewals=1, renewals_left=4
        ),
        samples.notification(notices.NotificationRead, 2, read=True),
        samples.patron(accounts.PatronUnblocked, 4, home_branch="STPL"),
        samples.branch(notices.BranchHoursChanged, 4, name="The Library"),
        samples.branch(notices.BranchClosureChanged, 5, name="The Library", change="amended"),
        samples.suspension(circulation.FinesResumed, 2, resumes_on=date(2021, 2, 19)),
        samples.patron(accounts.PatronRegistered, 1, patron_id="patron-2"),
        samples.loan(circulation.LoanCheckedOut, 1, "loan-9", patron_id="patron-2"),
        samples.returned(2, "loan-9", patron_id="patron-2"),
        samples.patron(
            accounts.PatronErased,
            2,
            patron_id="patron-2",
            status="erased",
            category="",
            home_branch="",
            language="",
            card_digest="",
        ),
        samples.hold(circulation.HoldPlaced, 1),
        samples.hold(circulation.HoldPlaced, 1, "hold-2", title_id="title-3", place=3),
        samples.hold(circulation.HoldPlaced, 1, "hold-3", title_id="title-2", place=4),
        samples.hold(circulation.HoldPlaced, 1, "hold-4", title_id="title-3", patron_id="patron-3"),
        samples.hold(circulation.HoldPlaced, 1, "hold-5"),
        samples.hold(circulation.HoldPlaced, 1, "hold-6"),
        samples.title(1, "A reserved book", "title-3"),
        samples.hold(circulation.HoldReady, 2, state="ready", shelf_until=date(2021, 2, 9)),
        samples.hold(circulation.HoldCollected, 3, state="collected"),
        samples.hold(circulation.HoldChanged, 2, "hold-3", title_id="title-2", state="in-transit"),
        samples.hold(circulation.HoldCancelled, 2, "hold-5", state="cancelled"),
        samples.hold(circulation.HoldExpired, 2, "hold-6", state="expired"),
        samples.loan(circulation.LoanCheckedOut, 1, "loan-4"),
        samples.loan(circulation.LoanDueSoon, 2, "loan-4", noticed_on=date(2021, 2, 13)),
        samples.loan(circulation.LoanClaimed, 3, "loan-4", claimed_returned_on=date(2021, 2, 20)),
        samples.loan(
            circulation.LoanLost,
            4,
            "loan-4",
            state="lost",
            lost_on=date(2021, 2, 25),
            declared_by="patron",
        ),
        samples.registration(events.RegistrationConfirmed, 1),
        samples.registration(events.RegistrationWaitlisted, 1, "reg-2", state="waitlisted", turn=2),
        samples.registration(events.RegistrationConfirmed, 1, "reg-3", activity_id="talk-2"),
        samples.registration(events.RegistrationCancelled, 2, "reg-3", state="cancelled"),
        samples.enquiry(notices.EnquiryOpened, 1),
        samples.enquiry(notices.EnquiryAssigned, 2, state="assigned"),
        samples.enquiry(notices.EnquiryAnswered, 3, state="answered"),
        samples.enquiry(notices.EnquiryOpened, 1, "enquiry-2"),
        samples.enquiry(notices.EnquiryClosed, 2, "enquiry-2", state="closed"),
        samples.fine(1, "charge-2"),
        samples.charge(circulation.FineAdjusted, 2, amount_cents=300, outstanding_cents=300),
        samples.charge(circulation.FineWaived, 3, amount_cents=300, outstanding_cents=200),
        samples.charge(circulation.FinePaid, 4, amount_cents=300, outstanding_cents=0),
    ]
    return [(event, samples.at(hours)) for hours, event in enumerate(told)]
