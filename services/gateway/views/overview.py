"""The body of `GET /v1/me`, made from a view and the data shown with it. Pure functions."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from services.gateway.views.open_items import (
    open_admissions,
    open_bookings,
    open_charges,
    open_enquiries,
    open_holds,
    open_links,
    open_loans,
    open_registrations,
    open_seats,
)
from services.gateway.views.store.reads import Common
from services.registry import OWNERS
from shared.mongo import Document

LAST = "9999"
"""Text that sorts after every instant."""


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
    loans = _loans(view, accruing, common, today)
    holds = [_hold(key, hold, positions.get(key)) for key, hold in open_holds(view).items()]
    charges = _charges(view)
    fines = [_accruing_fine(item) for item in accruing if item["overdue"]]
    return {
        "patron": _patron(view, patron_id, name),
        "loans": loans,
        "holds": holds,
        "charges": charges,
        "accruing": fines,
        "totals": _totals(loans, holds, charges, fines),
        "activities": _registered(view, activities, positions, midnight),
        "admissions": _admissions(view, today),
        "bookings": _bookings(view, midnight),
        "enquiries": _enquiries(view),
        "family": [
            {"id": key, "patron_id": link["member_id"], "version": link["version"]}
            for key, link in open_links(view).items()
        ],
        "inbox": {"unread": _unread(view)},
        "sources": _sources(view, live),
    }


def member_account(
    view: Mapping[str, Any] | None,
    *,
    patron_id: str,
    today: date,
    common: Common,
    positions: Mapping[str, int],
    accruing: Sequence[Mapping[str, Any]],
) -> Document:
    """Return what a linked patron is shown of an account: loans and holds, and nothing else.

    The arguments are those of `overview`.
    """
    view = view or {}
    holds = [_hold(key, hold, positions.get(key)) for key, hold in open_holds(view).items()]
    return {
        "patron_id": patron_id,
        "loans": _loans(view, accruing, common, today),
        "holds": holds,
    }


def _patron(view: Mapping[str, Any], patron_id: str, name: str) -> Document:
    patron = view.get("patron", {})
    status, blocked_by = _block(patron, view.get("standing"))
    return {
        "id": patron_id,
        "name": name,
        "category": patron.get("category"),
        "home_branch": patron.get("home_branch"),
        "language": patron.get("language"),
        "status": status,
        "blocked_by": blocked_by,
        "card_expires_on": patron.get("card_expires_on"),
    }


def _block(
    patron: Mapping[str, Any], standing: Mapping[str, Any] | None
) -> tuple[str | None, list[str] | None]:
    """Return the status of a patron and what blocks them.

    circulation says in each event of a charge whether its patron may borrow, so this agrees with
    the charges of the view. accounts follows these events with its own.
    """
    status, blocked_by = patron.get("status"), patron.get("blocked_by")
    # Views and events of earlier releases lack the one or the other.
    if standing is None or blocked_by is None or (status == "blocked" and not blocked_by):
        return status, blocked_by
    causes = {*blocked_by} - {"money"} | ({"money"} if standing["blocked"] else set())
    return "blocked" if causes else "active", sorted(causes)


def _loans(
    view: Mapping[str, Any], accruing: Sequence[Mapping[str, Any]], common: Common, today: date
) -> list[Document]:
    """Return the open loans, the earliest due date first."""
    overdue = {item["loan_id"]: item["overdue"] for item in accruing}
    return [
        {
            "id": loan_id,
            "title": loan["title"],
            "barcode": loan["barcode"],
            "branch": loan["branch"],
            "borrowed_on": loan["borrowed_on"],
            "due_on": loan["due_on"],
            "due_at": loan.get("due_at"),
            "renewals_left": _renewals_left(loan, common, today),
            "claimed_returned_on": loan.get("claimed_returned_on"),
            "overdue": bool(overdue.get(loan_id, loan["due_on"] < today.isoformat())),
            "version": loan["version"],
        }
        for loan_id, loan in open_loans(view).items()
    ]


def _renewals_left(loan: Mapping[str, Any], common: Common, today: date) -> int:
    """Return the renewals left, including those that a current closure grants."""
    allowed: int | None = loan.get("renewals_allowed")
    if allowed is None:  # added later: old loans lack it
        return int(loan["renewals_left"])
    branch = common.branches.get(loan["branch"])
    day = today.isoformat()
    granted = [  # of several only in views of an older form, until they are rebuilt
        relief["extra_renewals"]
        for relief in (branch.relief if branch else ())
        if relief["from"] <= day and (relief["reopened_on"] is None or day < relief["reopened_on"])
    ]
    return max(allowed + max(granted, default=0) - int(loan["renewals"]), 0)


def _hold(hold_id: str, hold: Mapping[str, Any], position: int | None) -> Document:
    return {
        "id": hold_id,
        "title": hold["title"],
        "volume": hold.get("volume"),
        "any_edition": hold.get("any_edition", False),
        "position": position,
        "pickup_branch": hold["pickup_branch"],
        "state": hold["state"],
        "frozen": hold["frozen"],
        "expires_on": hold["expires_on"],
        "version": hold["version"],
    }


def _charges(view: Mapping[str, Any]) -> list[Document]:
    """Return the charges with money that the patron owes or that is owed to them."""
    return [
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
        for charge_id, charge in open_charges(view).items()
    ]


def _statement_url(charge_id: str, charge: Mapping[str, Any]) -> str:
    """Return the URL that explains a charge: a fine's statement, or the charge itself."""
    path = f"/v1/charges/{charge_id}"
    return f"{path}/statement" if charge["kind"] == "fine" else path


def _accruing_fine(item: Mapping[str, Any]) -> Document:
    return {
        "loan_id": item["loan_id"],
        "amount_cents": item["amount_cents"],
        "per_day_cents": item.get("per_day_cents"),  # added later: old items lack it
        "as_of": item["as_of"],
        "suspended": item["suspended"],
        "resumes_on": item["resumes_on"],
    }


def _totals(
    loans: Sequence[Document],
    holds: Sequence[Document],
    charges: Sequence[Document],
    fines: Sequence[Document],
) -> Document:
    return {
        "loans": len(loans),
        "overdue": sum(loan["overdue"] for loan in loans),
        "holds": len(holds),
        "outstanding_cents": sum(charge["outstanding_cents"] for charge in charges),
        "refund_due_cents": sum(charge["refund_due_cents"] for charge in charges),
        "accruing_cents": sum(fine["amount_cents"] for fine in fines),
    }


def _enquiries(view: Mapping[str, Any]) -> list[Document]:
    """Return the questions to Ask a Librarian that are not closed, the first asked first."""
    return [
        {
            "id": key,
            "state": one["state"],
            "opened_at": instant(one["opened_at"]),
            "messages": one["messages"],
            "version": one["version"],
        }
        for key, one in open_enquiries(view).items()
    ]


def _admissions(view: Mapping[str, Any], today: date) -> list[Document]:
    """Return the applications and admission cards of seasons that are not over, by their end."""
    held = {one["application_id"]: one["until"] for one in open_seats(view).values()}
    found = [
        {
            "id": key,
            "season_id": one["season_id"],
            "season": one["season"],
            "branch": one["branch"],
            "state": one["state"],
            "standby_number": one["standby_number"],
            "valid_from": one["valid_from"],
            "valid_until": one["valid_until"],
            "place_until": instant(held[key]) if key in held else None,
            "version": one["version"],
        }
        for key, one in open_admissions(view).items()
        if one["valid_until"] >= today.isoformat()
    ]
    return sorted(found, key=lambda one: (one["valid_until"], one["id"]))


def _bookings(view: Mapping[str, Any], midnight: datetime) -> list[Document]:
    """Return the booked sessions of today and later, the earliest first."""
    found = [
        {
            "id": key,
            "branch": one["branch"],
            "starts_at": instant(one["starts_at"]),
            "ends_at": instant(one["ends_at"]),
            "until": instant(one["until"]),
            "version": one["version"],
        }
        for key, one in open_bookings(view).items()
        if one["ends_at"] >= midnight
    ]
    return sorted(found, key=lambda one: (one["starts_at"], one["id"]))


def _unread(view: Mapping[str, Any]) -> int:
    """Return the number of unread notifications."""
    return sum(not each["read"] for each in view.get("notifications", {}).values())


def _sources(view: Mapping[str, Any], live: Mapping[str, bool]) -> Document:
    """Return for each owner the time of its newest event for the patron, and if it answers."""
    heard = view.get("heard", {})
    return {
        source: {
            "as_of": instant(heard[source]) if source in heard else None,
            "live": live[source],
        }
        for source in OWNERS
    }


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
                "wordings": activity.get("wordings", {}),
                "state": one["state"],
                "position": positions.get(key),
                "version": one["version"],
            }
        )
    return sorted(found, key=lambda one: (one["starts_at"] or LAST, one["id"]))


def instant(value: datetime) -> str:
    """Return an instant in the format of the API: UTC with a Z."""
    return value.isoformat().replace("+00:00", "Z")
