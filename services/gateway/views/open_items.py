"""The open loans, holds, registrations and enquiries of a view."""

from collections.abc import Mapping
from typing import Any

from shared.mongo import Document

OPEN_HOLDS = ("waiting", "to-fetch", "in-transit", "ready")
"""States of a hold that an account shows."""
OPEN_REGISTRATIONS = ("confirmed", "waitlisted")
"""States of a registration that an account shows."""


def open_loans(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open loans of a view by id, the earliest due date first."""
    loans = (view or {}).get("loans", {})
    open_ones = [(key, loan) for key, loan in loans.items() if loan["state"] == "open"]
    return dict(sorted(open_ones, key=lambda pair: (pair[1]["due_on"], pair[0])))


def open_holds(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open holds of a view by id, in the order of placing."""
    holds = (view or {}).get("holds", {})
    return {key: hold for key, hold in sorted(holds.items()) if hold["state"] in OPEN_HOLDS}


def open_registrations(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open registrations for activities of a view, by id."""
    found = (view or {}).get("registrations", {})
    return {key: one for key, one in sorted(found.items()) if one["state"] in OPEN_REGISTRATIONS}


def open_enquiries(view: Mapping[str, Any] | None) -> dict[str, Document]:
    """Return the open enquiries of a view by id, in the order of asking."""
    found = (view or {}).get("enquiries", {})
    return {key: one for key, one in sorted(found.items()) if one["state"] != "closed"}


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
