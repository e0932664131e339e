"""Consumers: apply every patron-facing event to the account views.

There is no inbox and no transaction. Each write compares versions, so an event that arrives again
or late changes nothing, and all events that have arrived are written at once.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.gateway.views.projection import fold
from services.gateway.views.store.schema import Change
from services.gateway.views.store.writes import apply
from shared.bus.subscriptions import Subscriptions
from shared.contracts import accounts, circulation, events, notices
from shared.contracts.event import Event
from shared.ids import time_of
from shared.unit_of_work import Origin

subscriptions = Subscriptions(apply=apply)


@subscriptions.to(
    accounts.PatronRegistered,
    accounts.PatronUpdated,
    accounts.PatronCameOfAge,
    accounts.PatronCardRenewed,
    accounts.PatronCardExpiring,
    accounts.PatronBlocked,
    accounts.PatronUnblocked,
    accounts.PatronErased,
    accounts.PreferencesChanged,
    accounts.PatronLinked,
    accounts.PatronUnlinked,
    circulation.LoanCheckedOut,
    circulation.LoanRenewed,
    circulation.LoanDueDateChanged,
    circulation.LoanDueSoon,
    circulation.LoanOverdue,
    circulation.LoanReturned,
    circulation.HoldPlaced,
    circulation.HoldChanged,
    circulation.HoldReady,
    circulation.HoldCollected,
    circulation.HoldCancelled,
    circulation.HoldExpired,
    circulation.LoanLost,
    circulation.LoanClaimed,
    circulation.FineAssessed,
    circulation.FineAdjusted,
    circulation.FinePaid,
    circulation.FineWaived,
    notices.NotificationDelivered,
    notices.NotificationRead,
    notices.EnquiryOpened,
    notices.EnquiryAssigned,
    notices.EnquiryAnswered,
    notices.EnquiryClosed,
    events.RegistrationConfirmed,
    events.RegistrationWaitlisted,
    events.RegistrationAttended,
    events.RegistrationAttendanceWithdrawn,
    events.RegistrationCancelled,
    events.AdmissionApplied,
    events.AdmissionGranted,
    events.AdmissionStandby,
    events.AdmissionWithdrawn,
    events.AdmissionPromoted,
    events.AdmissionCheckedIn,
    events.AdmissionLapsed,
    events.BookingMade,
    events.BookingCancelled,
    events.BookingEndedByClosure,
    events.BookingRestored,
    events.BookingCheckedIn,
    events.BookingLapsed,
)
def show_in_account(event: Event, origin: Origin) -> Sequence[Change]:
    """Apply a change about one patron to that patron's view."""
    return _folded(event, origin)


@subscriptions.to(circulation.TitleCatalogued)
def show_title(event: circulation.TitleCatalogued, origin: Origin) -> Sequence[Change]:
    """Store a title, and write it into the views that show an older version or none yet."""
    return _folded(event, origin)


@subscriptions.to(
    events.ActivityPublished,
    events.ActivityRescheduled,
    events.ActivityCancelled,
    events.RecordingReleased,
    notices.BranchRegistered,
    notices.BranchClosed,
    notices.BranchReopened,
    notices.BranchClosureChanged,
    notices.BranchHoursChanged,
    notices.NoticePublished,
    notices.NoticeAmended,
    notices.NoticeWithdrawn,
    circulation.FinesSuspended,
    circulation.FinesResumed,
)
def show_to_all(event: Event, origin: Origin) -> Sequence[Change]:
    """Store data that all accounts share: activities, notices, branches, fine suspensions."""
    return _folded(event, origin)


@subscriptions.to(accounts.SessionEnded)
def refuse_tokens(event: accounts.SessionEnded, origin: Origin) -> Sequence[Change]:
    """Store that a session has ended; every replica then refuses its tokens."""
    return _folded(event, origin)


def _folded(event: Event, origin: Origin) -> Sequence[Change]:
    recorded_at = time_of(origin.causation_id)
    return [replace(change, recorded_at=recorded_at) for change in fold(event, origin.now)]
