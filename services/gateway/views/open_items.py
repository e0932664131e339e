"""The open loans, holds, charges, registrations, admissions, enquiries and links of a view."""

from collections.abc import Mapping
from typing import Any

from shared.mongo import Document

OPEN_REGISTRATIONS = ("confirmed", "waitlisted")
"""States of a registration that an account shows."""


def open_loans(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open loans of a view by id, the earliest due date first."""
    loans = (view or {}).get("loans", {})
    open_ones = [(key, loan) for key, loan in loans.items() if loan["state"] == "open"]
    return dict(sorted(open_ones, key=lambda pair: (pair[1]["due_on"], pair[0])))


def open_holds(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open holds of a view by id, in the order of placing."""
    return _not_ended(view, "holds")


def open_charges(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the charges of a view with money to be paid or to be given back, by id."""
    return _not_ended(view, "charges")


def _not_ended(view: Mapping[str, Any] | None, kind: str) -> dict[str, Document]:
    """Return the items of a kind whose last event did not end them (`ViewChange.ends`)."""
    items = (view or {}).get(kind, {})
    return {key: item for key, item in sorted(items.items()) if "ended" not in item}


def open_registrations(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open registrations for activities of a view, by id."""
    found = (view or {}).get("registrations", {})
    return {key: one for key, one in sorted(found.items()) if one["state"] in OPEN_REGISTRATIONS}


def open_enquiries(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open enquiries of a view by id, in the order of asking."""
    return _not_ended(view, "enquiries")


def open_admissions(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the applications for study rooms of a view that have not ended, by id."""
    return _not_ended(view, "admissions")


def open_seats(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the places in study rooms that are held for the patron from a standby list, by id."""
    return _not_ended(view, "seats")


def open_bookings(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the booked sessions in study rooms to which the patron has not come yet, by id."""
    return _not_ended(view, "bookings")


def open_links(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the links of the patron's card with those of others, by id, the oldest first."""
    return _not_ended(view, "family")


def is_linked(view: Mapping[str, Any] | None, patron_id: str) -> bool:
    """Return whether the card of a view is linked with that of a patron."""
    return any(link["member_id"] == patron_id for link in open_links(view).values())


def waiting(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the waiting holds and registrations by id, each with its `queue` and its `place`.

    A hold may also have the `edition` or the `copy` that limits it.
    """
    names = ("queue", "place", "edition", "copy")
    return {
        **{
            # A hold without a queue of its own waits in that of its title.
            key: {"queue": hold["title_id"]} | {name: hold[name] for name in names if name in hold}
            for key, hold in open_holds(view).items()
            if hold["state"] == "waiting"
        },
        **{
            key: {"queue": one["activity_id"], "place": one["turn"]}
            for key, one in open_registrations(view).items()
            if one["state"] == "waitlisted"
        },
    }
