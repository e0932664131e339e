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
from shared.contracts import accounts, catalogue, circulation, events, notices, suspensions
from shared.contracts.event import Event
from shared.ids import time_of
from shared.unit_of_work import Origin

subscriptions = Subscriptions(apply=apply)


@subscriptions.to(
    accounts.PatronSnapshot,
    accounts.PreferencesChanged,
    accounts.LinkSnapshot,
    circulation.LoanSnapshot,
    circulation.HoldSnapshot,
    circulation.ChargeSnapshot,
    notices.NotificationSnapshot,
    notices.EnquirySnapshot,
    events.RegistrationSnapshot,
    events.AdmissionSnapshot,
    events.SeatSnapshot,
    events.BookingSnapshot,
)
def show_in_account(event: Event, origin: Origin) -> Sequence[Change]:
    """Apply a change about one patron to that patron's view."""
    return _folded(event, origin)


@subscriptions.to(catalogue.TitleCatalogued)
def show_title(event: catalogue.TitleCatalogued, origin: Origin) -> Sequence[Change]:
    """Store a title, and write it into the views that show an older version or none yet."""
    return _folded(event, origin)


@subscriptions.to(
    events.ActivitySnapshot,
    notices.BranchSnapshot,
    notices.NoticeSnapshot,
    suspensions.SuspensionSnapshot,
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
