"""Projection: turn events into changes of the account views.

Pure functions. Kafka's events and the changes in a command's response go through the same `fold`.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import singledispatch
from typing import Any

from services.gateway.views.open_items import OPEN_REGISTRATIONS
from services.gateway.views.store.schema import Change, Erasure, Row, SessionEnd, ViewChange
from shared.contracts import Event
from shared.contracts.accounts import (
    LinkSnapshot,
    PatronSnapshot,
    PreferencesChanged,
    SessionEnded,
)
from shared.contracts.catalogue import TitleCatalogued
from shared.contracts.circulation import ChargeSnapshot, HoldSnapshot, LoanSnapshot
from shared.contracts.events import (
    ActivitySnapshot,
    AdmissionSnapshot,
    BookingSnapshot,
    RegistrationSnapshot,
    SeatSnapshot,
)
from shared.contracts.notices import (
    BranchSnapshot,
    EnquirySnapshot,
    NoticeSnapshot,
    NotificationSnapshot,
)
from shared.contracts.suspensions import SuspensionSnapshot
from shared.mongo import Document

# ruff: noqa: ARG001 - every kind of event is folded by the same signature

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@singledispatch
def fold(event: Event, at: datetime) -> Sequence[Change]:
    """Return the changes that an event of business time `at` makes; none if no account shows it.

    Raises ValueError for an id that cannot be a field name.
    """
    return ()


def _part(
    event: Any, at: datetime, kind: str, key: str, content: Document, *, ends: bool
) -> ViewChange:
    """Return the change of one loan, hold or the like in the view of the event's patron."""
    path = f"{kind}.{_field(key)}"
    return ViewChange(event.patron_id, path, content, event.publisher, at, ends)


@fold.register
def _fold_patron(event: PatronSnapshot, at: datetime) -> Sequence[Change]:
    if event.status == "erased":
        return [Erasure(event.patron_id, event.version)]
    content = {
        "version": event.version,
        "category": event.category,
        "home_branch": event.home_branch,
        "language": event.language,
        "status": event.status,
        "blocked_by": list(event.blocked_by),
        "card_expires_on": _day(event.card_expires_on),
    }
    return [ViewChange(event.patron_id, "patron", content, event.publisher, at)]


@fold.register
def _fold_preferences(event: PreferencesChanged, at: datetime) -> Sequence[Change]:
    content = {
        "version": event.version,
        "followed_branches": list(event.followed_branches),
        "activity_types": list(event.activity_types),
        "language": event.language,
        "channels": list(event.channels),
        "keep_history": event.keep_history,
    }
    return [ViewChange(event.patron_id, "preferences", content, event.publisher, at)]


@fold.register
def _fold_link(event: LinkSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "linked": event.linked}
    if event.linked:
        content["member_id"] = event.member_id
    return [_part(event, at, "family", event.link_id, content, ends=not event.linked)]


@fold.register
def _fold_session(event: SessionEnded, at: datetime) -> Sequence[Change]:
    return [SessionEnd(event.session_id, event.account_id, event.expires_at)]


@fold.register
def _fold_loan(event: LoanSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    if event.state == "open":
        content |= {
            "title_id": event.title_id,
            "barcode": event.barcode,
            "branch": event.branch,
            "borrowed_on": event.borrowed_on.isoformat(),
            "due_on": event.due_on.isoformat(),
            **({"due_at": event.due_at} if event.due_at else {}),
            "renewals": event.renewals,
            "renewals_left": event.renewals_left,
            "renewals_allowed": event.renewals_allowed,
            "claimed_returned_on": _day(event.claimed_returned_on),
        }
    return [_part(event, at, "loans", event.loan_id, content, ends=event.state != "open")]


@fold.register
def _fold_charge(event: ChargeSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "outstanding_cents": event.outstanding_cents}
    if event.open:
        content |= {
            "kind": event.charge_kind,
            "loan_id": event.loan_id or None,
            "hold_id": event.hold_id,
            "title_id": event.title_id,
            "refund_due_cents": event.refund_due_cents,
            "amount_cents": event.amount_cents,
            "assessed_on": event.assessed_on.isoformat(),
        }
    changes = [_part(event, at, "charges", event.charge_id, content, ends=not event.open)]
    if event.standing is not None:
        standing = {"version": event.standing.version, "blocked": event.standing.blocked}
        changes.append(ViewChange(event.patron_id, "standing", standing, event.publisher, at))
    return changes


@fold.register
def _fold_hold(event: HoldSnapshot, at: datetime) -> Sequence[Change]:
    state = "to-fetch" if event.to_fetch else event.state
    content: Document = {"version": event.version, "state": state}
    in_queue, usual = _in_queue(event), ("queue", event.title_id)
    if event.open:
        until = event.shelf_until if event.state == "ready" else event.expires_on
        content |= {
            "title_id": event.title_id,
            "pickup_branch": event.pickup_branch,
            "frozen": event.frozen,
            "expires_on": until.isoformat() if until else None,
            **{name: one for name, one in in_queue.items() if (name, one) != usual},
            **({"volume": event.volume} if event.volume else {}),
            **({"any_edition": True} if event.any_edition else {}),
        }
    waits = event.state == "waiting"
    return [
        _part(event, at, "holds", event.hold_id, content, ends=not event.open),
        _place(event.hold_id, event.version, in_queue if waits else None),
    ]


def _in_queue(event: HoldSnapshot) -> Document:
    """Return the place in its queue, and the edition or copy that limits the copies it is for.

    Each volume has a queue of its own; the editions of a work share one.
    """
    queue = event.work_id or event.title_id
    edition = event.title_id if event.work_id and not event.any_edition else None
    return {
        "queue": f"{queue}/{event.volume}" if event.volume else queue,
        "place": event.place,
        **({"edition": edition} if edition else {}),
        **({"copy": event.barcode} if event.barcode else {}),
    }


def _place(key: str, version: int, in_queue: Document | None) -> Row:
    """Return the row of a place in the queue of a hold or an activity; None ends the wait."""
    content: Document = {"version": version, "waiting": in_queue is not None, **(in_queue or {})}
    return Row("place", key, content, ends=in_queue is None)


@fold.register
def _fold_notification(event: NotificationSnapshot, at: datetime) -> Sequence[Change]:
    content = {"version": event.version, "read": event.read}
    return [_part(event, at, "notifications", event.notification_id, content, ends=event.read)]


@fold.register
def _fold_enquiry(event: EnquirySnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    if event.open:
        content |= {"opened_at": event.opened_at, "messages": event.messages}
    if event.patron_id is None:  # a guest has no account
        return []
    return [_part(event, at, "enquiries", event.enquiry_id, content, ends=not event.open)]


@fold.register
def _fold_title(event: TitleCatalogued, at: datetime) -> Sequence[Change]:
    return [Row("title", event.title_id, {"version": event.version, "title": event.title})]


@fold.register
def _fold_branch(event: BranchSnapshot, at: datetime) -> Sequence[Change]:
    relief = [
        {
            "from": span.from_.isoformat(),
            "reopened_on": _day(span.until),
            "extra_renewals": span.extra_renewals,
        }
        for span in event.relief
    ]
    content = {
        "version": event.version,
        "name": event.name,
        "names": dict(event.names),
        "relief": relief,
    }
    return [Row("branch", event.branch, content)]


@fold.register
def _fold_suspension(event: SuspensionSnapshot, at: datetime) -> Sequence[Change]:
    return [Row("suspension", event.suspension_id, {"version": event.version})]


@fold.register
def _fold_activity(event: ActivitySnapshot, at: datetime) -> Sequence[Change]:
    content = {
        "version": event.version,
        "title": event.title,
        "type": event.type,
        "venue": event.venue,
        "branch": event.branch,
        "starts_at": event.starts_at,
        "last_at": event.ends_at or event.starts_at,
        "cancelled": event.cancelled,
        "wordings": {
            language: {"title": texts.title, "venue": texts.venue}
            for language, texts in event.wordings.items()
        },
    }
    return [Row("activity", event.activity_id, content)]


@fold.register
def _fold_registration(event: RegistrationSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    ends = event.state not in OPEN_REGISTRATIONS
    if not ends:
        content |= {"activity_id": event.activity_id, "turn": event.turn}
    in_queue = {"queue": event.activity_id, "place": event.turn}
    return [
        _part(event, at, "registrations", event.registration_id, content, ends=ends),
        _place(
            event.registration_id, event.version, in_queue if event.state == "waitlisted" else None
        ),
    ]


@fold.register
def _fold_admission(event: AdmissionSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    ends = event.state == "withdrawn"
    if not ends:
        content |= {
            "season_id": event.season_id,
            "season": event.season,
            "branch": event.branch,
            "standby_number": event.standby_number,
            "valid_from": event.valid_from.isoformat(),
            "valid_until": event.valid_until.isoformat(),
        }
    return [_part(event, at, "admissions", event.application_id, content, ends=ends)]


@fold.register
def _fold_seat(event: SeatSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    ends = event.state != "held"
    if not ends:
        content |= {"application_id": event.application_id, "until": event.until}
    return [_part(event, at, "seats", event.seat_id, content, ends=ends)]


@fold.register
def _fold_booking(event: BookingSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    ends = event.state != "booked"
    if not ends:
        content |= {
            "branch": event.branch,
            "starts_at": event.starts_at,
            "ends_at": event.ends_at,
            "until": event.until,
        }
    return [_part(event, at, "bookings", event.booking_id, content, ends=ends)]


@fold.register
def _fold_notice(event: NoticeSnapshot, at: datetime) -> Sequence[Change]:
    if event.withdrawn:  # a tombstone names no branches, so no query finds it
        return [Row("notice", event.notice_id, {"version": event.version, "withdrawn": True})]
    content = {
        "version": event.version,
        "branches": list(event.branches),
        "title": event.title,
        "content": event.content,
        "date": event.date.isoformat(),
        "wordings": {
            language: {"content": texts.content} for language, texts in event.wordings.items()
        },
    }
    return [Row("notice", event.notice_id, content)]


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _field(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise ValueError("an id has letters, digits, dashes and underscores")
    return identifier
