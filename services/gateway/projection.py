"""Projection: turn events into changes of the account views, and a view into an overview.

Pure functions. Kafka's events and the changes in a command's answer go through the same `fold`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import singledispatch
from typing import Any

from services.gateway.store import Change, Common, Erasure, Row, ViewChange
from services.registry import OWNERS
from shared.contracts import Event
from shared.contracts.accounts import PatronSnapshot, PreferencesChanged
from shared.contracts.circulation import (
    ChargeSnapshot,
    HoldSnapshot,
    LoanSnapshot,
    SuspensionSnapshot,
    TitleCatalogued,
)
from shared.contracts.events import ActivitySnapshot, RegistrationSnapshot
from shared.contracts.notices import BranchSnapshot, NoticePublished, NotificationSnapshot

# ruff: noqa: ARG001 - every kind of event is folded by the same signature

Document = dict[str, Any]

ALL_LIBRARIES = "All libraries"
LAST = "9999"
"""Text that sorts after every instant."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@singledispatch
def fold(event: Event, at: datetime) -> Sequence[Change]:
    """Return the changes that an event of business time `at` makes; none if no account shows it.

    Raises ValueError for an id that cannot be a field name.
    """
    return ()


@fold.register
def _(event: PatronSnapshot, at: datetime) -> Sequence[Change]:
    if event.status == "erased":
        return [Erasure(event.patron_id, event.version)]
    content = {
        "version": event.version,
        "category": event.category,
        "home_branch": event.home_branch,
        "language": event.language,
        "status": event.status,
    }
    return [ViewChange(event.patron_id, "patron", content, event.publisher, at)]


@fold.register
def _(event: PreferencesChanged, at: datetime) -> Sequence[Change]:
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
def _(event: LoanSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    if event.state == "open":
        content |= {
            "title_id": event.title_id,
            "barcode": event.barcode,
            "branch": event.branch,
            "borrowed_on": event.borrowed_on.isoformat(),
            "due_on": event.due_on.isoformat(),
            "renewals": event.renewals,
            "renewals_left": event.renewals_left,
            "renewals_allowed": event.renewals_allowed,
            "claimed_returned_on": _day(event.claimed_returned_on),
        }
    path = f"loans.{_field(event.loan_id)}"
    ends = event.state != "open"
    return [ViewChange(event.patron_id, path, content, event.publisher, at, ends)]


@fold.register
def _(event: ChargeSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "outstanding_cents": event.outstanding_cents}
    ends = not (event.outstanding_cents or event.refund_due_cents)
    if not ends:
        content |= {
            "kind": "lost-processing" if event.processing else event.kind,
            "loan_id": event.loan_id or None,
            "hold_id": event.hold_id,
            "title_id": event.title_id,
            "refund_due_cents": event.refund_due_cents,
            "amount_cents": event.amount_cents,
            "assessed_on": event.assessed_on.isoformat(),
        }
    path = f"charges.{_field(event.charge_id)}"
    return [ViewChange(event.patron_id, path, content, event.publisher, at, ends)]


@fold.register
def _(event: HoldSnapshot, at: datetime) -> Sequence[Change]:
    state = "to-fetch" if event.to_fetch else event.state
    content: Document = {"version": event.version, "state": state}
    ends = state not in _OPEN_HOLDS
    if not ends:
        until = event.shelf_until if event.state == "ready" else event.expires_on
        content |= {
            "title_id": event.title_id,
            "pickup_branch": event.pickup_branch,
            "place": event.place,
            "frozen": event.frozen,
            "expires_on": until.isoformat() if until else None,
        }
    waits = event.state == "waiting"
    path = f"holds.{_field(event.hold_id)}"
    return [
        ViewChange(event.patron_id, path, content, event.publisher, at, ends),
        _place(event.hold_id, event.version, event.title_id, event.place if waits else None),
    ]


_OPEN_HOLDS = ("waiting", "to-fetch", "in-transit", "ready")


def _place(key: str, version: int, queue: str, place: int | None) -> Row:
    """Return the row of a place in the queue of a title or an activity; None ends the wait."""
    content: Document = {"version": version, "waiting": place is not None}
    if place is not None:
        content |= {"queue": queue, "place": place}
    return Row("place", key, content, ends=place is None)


@fold.register
def _(event: NotificationSnapshot, at: datetime) -> Sequence[Change]:
    content = {"version": event.version, "read": event.read}
    path = f"notifications.{_field(event.notification_id)}"
    return [ViewChange(event.patron_id, path, content, event.publisher, at, event.read)]


@fold.register
def _(event: TitleCatalogued, at: datetime) -> Sequence[Change]:
    return [Row("title", event.title_id, {"version": event.version, "title": event.title})]


@fold.register
def _(event: BranchSnapshot, at: datetime) -> Sequence[Change]:
    relief = [
        {
            "from": closure.from_.isoformat(),
            "reopened_on": _day(closure.reopened_on),
            "extra_renewals": closure.extra_renewals,
        }
        for closure in event.closures
        if closure.extra_renewals
    ]
    content = {"version": event.version, "name": event.name, "relief": relief}
    return [Row("branch", event.branch, content)]


@fold.register
def _(event: SuspensionSnapshot, at: datetime) -> Sequence[Change]:
    return [Row("suspension", event.suspension_id, {"version": event.version})]


@fold.register
def _(event: ActivitySnapshot, at: datetime) -> Sequence[Change]:
    content = {
        "version": event.version,
        "title": event.title,
        "type": event.type,
        "venue": event.venue,
        "branch": event.branch,
        "starts_at": event.starts_at,
        "last_at": event.ends_at or event.starts_at,
        "cancelled": event.cancelled,
    }
    return [Row("activity", event.activity_id, content)]


@fold.register
def _(event: RegistrationSnapshot, at: datetime) -> Sequence[Change]:
    content: Document = {"version": event.version, "state": event.state}
    ends = event.state not in _OPEN_REGISTRATIONS
    if not ends:
        content |= {"activity_id": event.activity_id, "turn": event.turn}
    waits = event.state == "waitlisted"
    path = f"registrations.{_field(event.registration_id)}"
    return [
        ViewChange(event.patron_id, path, content, event.publisher, at, ends),
        _place(
            event.registration_id, event.version, event.activity_id, event.turn if waits else None
        ),
    ]


_OPEN_REGISTRATIONS = ("confirmed", "waitlisted")


@fold.register
def _(event: NoticePublished, at: datetime) -> Sequence[Change]:
    content = {
        "version": event.version,
        "branches": list(event.branches),
        "title": event.title,
        "content": event.content,
        "date": event.date.isoformat(),
    }
    return [Row("notice", event.notice_id, content)]


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _field(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise ValueError("an id has letters, digits, dashes and underscores")
    return identifier


# ---- the overview -------------------------------------------------------------------------------


def open_loans(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open loans of a view by id, the earliest due date first."""
    loans = (view or {}).get("loans", {})
    open_ones = [(key, loan) for key, loan in loans.items() if loan["state"] == "open"]
    return dict(sorted(open_ones, key=lambda pair: (pair[1]["due_on"], pair[0])))


def open_holds(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open holds of a view by id, in the order of placing."""
    holds = (view or {}).get("holds", {})
    return {key: hold for key, hold in sorted(holds.items()) if hold["state"] in _OPEN_HOLDS}


def open_registrations(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open registrations for activities of a view, by id."""
    found = (view or {}).get("registrations", {})
    return {key: one for key, one in sorted(found.items()) if one["state"] in _OPEN_REGISTRATIONS}


def waiting(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the waiting holds and registrations by id, each with its `queue` and its `place`."""
    return {
        **{
            key: {"queue": hold["title_id"], "place": hold["place"]}
            for key, hold in open_holds(view).items()
            if hold["state"] == "waiting"
        },
        **{
            key: {"queue": one["activity_id"], "place": one["turn"]}
            for key, one in open_registrations(view).items()
            if one["state"] == "waitlisted"
        },
    }


def past_due(loans: Mapping[str, Document], today: date) -> dict[str, Document]:
    """Return the loans whose due date has passed. Only circulation knows which are overdue."""
    return {key: loan for key, loan in loans.items() if loan["due_on"] < today.isoformat()}


def last_accruing(
    said: Mapping[str, Any] | None, loans: Mapping[str, Document]
) -> Sequence[Document]:
    """Return circulation's items for open loans whose due date has not changed since."""
    return [
        item
        for item in (said or {}).get("items", ())
        if item["loan_id"] in loans and loans[item["loan_id"]]["due_on"] == item["due_on"]
    ]


def says_the_same(
    said: Mapping[str, Any] | None, late: Mapping[str, Document], common: Common, today: date
) -> bool:
    """Return whether circulation's last answer is still valid for these loans today.

    A fine is a function of the loan, the calendar of its branch, the suspensions and the day. So
    the answer is valid while all of these are the ones that it names.
    """
    if said is None or said.get("suspensions_version") != common.suspensions_version:
        return False
    items = {item["loan_id"]: item for item in said["items"]}
    return all(
        (item := items.get(loan_id)) is not None
        and item["as_of"] == today.isoformat()
        and item["loan_version"] == loan["version"]
        and (branch := common.branches.get(loan["branch"])) is not None
        and item["calendar_version"] == branch.calendar_version
        for loan_id, loan in late.items()
    )


def overview(
    view: Mapping[str, Any] | None,
    *,
    patron_id: str,
    name: str,
    midnight: datetime,
    common: Common,
    activities: Mapping[str, Mapping[str, Any]],
    positions: Mapping[str, int],
    accruing: Sequence[Mapping[str, Any]],
    live: Mapping[str, bool],
) -> Document:
    """Return the body of `GET /v1/me`. Money in cents, days in the library's time zone.

    - `midnight`: start of the current day in that time zone.
    - `activities`: the known activities that the patron registered for, by id.
    - `positions`: places in line of the waiting holds and registrations, by id; 1 is next.
    - `accruing`: circulation's items for the loans past their due date, each with `loan_id`,
      `overdue`, `amount_cents`, `per_day_cents`, `as_of`, `suspended` and `resumes_on`. A loan
      without an item is overdue if its due date has passed.
    """
    view = view or {}
    today = midnight.date()
    patron = view.get("patron", {})
    said = {item["loan_id"]: item for item in accruing}
    loans = [
        {
            "id": loan_id,
            "title": loan["title"],
            "barcode": loan["barcode"],
            "branch": loan["branch"],
            "borrowed_on": loan["borrowed_on"],
            "due_on": loan["due_on"],
            "renewals_left": _renewals_left(loan, common, today),
            "claimed_returned_on": loan.get("claimed_returned_on"),
            "overdue": bool(
                said[loan_id]["overdue"] if loan_id in said else loan["due_on"] < today.isoformat()
            ),
            "version": loan["version"],
        }
        for loan_id, loan in open_loans(view).items()
    ]
    holds = [
        {
            "id": hold_id,
            "title": hold["title"],
            "position": positions.get(hold_id),
            "pickup_branch": hold["pickup_branch"],
            "state": hold["state"],
            "frozen": hold["frozen"],
            "expires_on": hold["expires_on"],
            "version": hold["version"],
        }
        for hold_id, hold in open_holds(view).items()
    ]
    charges = [
        {
            "id": charge_id,
            "kind": charge["kind"],
            "loan_id": charge["loan_id"],
            "hold_id": charge.get("hold_id"),
            "title": charge.get("title"),
            "amount_cents": charge["amount_cents"],
            "outstanding_cents": charge["outstanding_cents"],
            "refund_due_cents": charge.get("refund_due_cents", 0),
            "statement_url": _statement_url(charge_id, charge),
        }
        for charge_id, charge in sorted(view.get("charges", {}).items())
        if charge["outstanding_cents"] or charge.get("refund_due_cents")
    ]
    counted = [
        {
            "loan_id": item["loan_id"],
            "amount_cents": item["amount_cents"],
            "per_day_cents": item.get("per_day_cents"),  # added later: old items lack it
            "as_of": item["as_of"],
            "suspended": item["suspended"],
            "resumes_on": item["resumes_on"],
        }
        for item in accruing
        if item["overdue"]
    ]
    notifications = view.get("notifications", {}).values()
    heard = view.get("heard", {})
    return {
        "patron": {
            "id": patron_id,
            "name": name,
            "category": patron.get("category"),
            "home_branch": patron.get("home_branch"),
            "language": patron.get("language"),
            "status": patron.get("status"),
        },
        "loans": loans,
        "holds": holds,
        "charges": charges,
        "accruing": counted,
        "totals": {
            "loans": len(loans),
            "overdue": sum(loan["overdue"] for loan in loans),
            "holds": len(holds),
            "outstanding_cents": sum(charge["outstanding_cents"] for charge in charges),
            "refund_due_cents": sum(charge["refund_due_cents"] for charge in charges),
            "accruing_cents": sum(item["amount_cents"] for item in counted),
        },
        "activities": _registered(view, activities, positions, midnight),
        "inbox": {"unread": sum(not notification["read"] for notification in notifications)},
        "sources": {
            source: {
                "as_of": instant(heard[source]) if source in heard else None,
                "live": live[source],
            }
            for source in OWNERS
        },
    }


def _renewals_left(loan: Mapping[str, Any], common: Common, today: date) -> int:
    """Return the renewals left, including those that a current closure grants."""
    allowed: int | None = loan.get("renewals_allowed")
    if allowed is None:  # added later: old loans lack it
        return int(loan["renewals_left"])
    branch = common.branches.get(loan["branch"])
    day = today.isoformat()
    granted = [
        relief["extra_renewals"]
        for relief in (branch.relief if branch else ())
        if relief["from"] <= day and (relief["reopened_on"] is None or day < relief["reopened_on"])
    ]
    return max(allowed + max(granted, default=0) - int(loan["renewals"]), 0)


def _registered(
    view: Mapping[str, Any],
    activities: Mapping[str, Mapping[str, Any]],
    positions: Mapping[str, int],
    midnight: datetime,
) -> list[Document]:
    """Return the registrations for activities that are not over, the earliest first."""
    found = []
    for key, one in open_registrations(view).items():
        activity = activities.get(one["activity_id"], {})
        if activity and activity["last_at"] < midnight:
            continue
        starts_at = activity.get("starts_at")
        found.append(
            {
                "id": key,
                "activity_id": one["activity_id"],
                "title": activity.get("title"),
                "type": activity.get("type"),
                "venue": activity.get("venue"),
                "branch": activity.get("branch"),
                "starts_at": instant(starts_at) if starts_at else None,
                "state": one["state"],
                "position": positions.get(key),
                "version": one["version"],
            }
        )
    return sorted(found, key=lambda one: (one["starts_at"] or LAST, one["id"]))


def _statement_url(charge_id: str, charge: Mapping[str, Any]) -> str:
    """Return the URL that explains a charge: a fine's statement, or the charge itself."""
    path = f"/v1/charges/{charge_id}"
    return f"{path}/statement" if charge["kind"] == "fine" else path


def my_info(
    activities: Sequence[Mapping[str, Any]],
    notices: Sequence[Mapping[str, Any]],
    followed: Sequence[str],
    names: Mapping[str, str],
    limit: int,
) -> Document:
    """Return the two tables of My Info.

    A notice of several followed branches has a row for each.
    """
    news = []
    for notice in notices:
        libraries = [names.get(code, code) for code in followed if code in notice["branches"]]
        news += [
            {"library": library, "date": notice["date"], "content": notice["content"]}
            for library in libraries or [ALL_LIBRARIES]
        ]
    return {
        "activities": [
            {
                "title": activity["title"],
                "starts_at": instant(activity["starts_at"]),
                "ends_at": _end(activity),
                "venue": activity["venue"],
                "branch": activity.get("branch"),
                "type": activity["type"],
            }
            for activity in activities
        ],
        "library_information": news[:limit],
    }


def _end(activity: Mapping[str, Any]) -> str | None:
    """Return when an activity ends, None if no end is announced."""
    ends_at = activity["last_at"]
    return instant(ends_at) if ends_at > activity["starts_at"] else None


def instant(value: datetime) -> str:
    """Return an instant in the format of the API: UTC with a Z."""
    return value.isoformat().replace("+00:00", "Z")
