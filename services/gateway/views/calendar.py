"""The entries of a patron's calendar feed, made from a view. Pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from services.gateway.views.open_items import (
    open_admissions,
    open_bookings,
    open_holds,
    open_loans,
    open_registrations,
)

BACK = timedelta(days=31)
"""Time for which past activities and sessions stay in the feed.

Calendars remove what it no longer has.
"""
DAY = timedelta(days=1)

Kind = Literal["loan", "hold", "registration", "admission", "booking"]


@dataclass(frozen=True)
class Entry:
    """One entry. Days are whole days, whose `ends` is the day after the last one."""

    uid: str
    """Kind and id, the same in every answer."""
    sequence: int
    """Number of changes of what the entry shows."""
    kind: Kind
    starts: date | datetime
    ends: date | datetime | None
    title: str | None
    """Title of the item, activity or season; None: not known yet."""
    branch: str | None
    """Code of the branch to go to."""
    venue: str = ""
    activity_type: str = ""
    tentative: bool = False
    """True while the patron is on a waiting list."""


def entries(
    view: Mapping[str, Any] | None,
    activities: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> list[Entry]:
    """Return what the patron has to do or has a place for, the earliest first.

    `activities` has the known activities that the patron registered for, by id. Whatever has ended
    or is cancelled has no entry.
    """
    found = [
        *_loans(view),
        *_holds(view),
        *_admissions(view),
        *_bookings(view, now - BACK),
        *_registrations(view, activities, now - BACK),
    ]
    return sorted(found, key=lambda entry: (str(entry.starts), entry.uid))


def _loans(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, loan in open_loans(view).items():
        due = date.fromisoformat(loan["due_on"])
        yield Entry(
            uid=f"loan-{key}",
            sequence=loan["version"] - 1,
            kind="loan",
            starts=due,
            ends=due + DAY,
            title=loan["title"],
            branch=loan["branch"],
        )


def _holds(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, hold in open_holds(view).items():
        if hold["state"] == "ready" and hold["expires_on"]:
            last = date.fromisoformat(hold["expires_on"])
            yield Entry(
                uid=f"hold-{key}",
                sequence=hold["version"] - 1,
                kind="hold",
                starts=last,
                ends=last + DAY,
                title=hold["title"],
                branch=hold["pickup_branch"],
            )


def _admissions(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, card in open_admissions(view).items():
        if card["state"] == "granted":
            yield Entry(
                uid=f"admission-{key}",
                sequence=card["version"] - 1,
                kind="admission",
                starts=date.fromisoformat(card["valid_from"]),
                ends=date.fromisoformat(card["valid_until"]) + DAY,
                title=card["season"],
                branch=card["branch"],
            )


def _bookings(view: Mapping[str, Any] | None, since: datetime) -> Iterator[Entry]:
    for key, booking in open_bookings(view).items():
        if booking["ends_at"] >= since:
            yield Entry(
                uid=f"booking-{key}",
                sequence=booking["version"] - 1,
                kind="booking",
                starts=booking["starts_at"],
                ends=booking["ends_at"],
                title=None,
                branch=booking["branch"],
            )


def _registrations(
    view: Mapping[str, Any] | None, activities: Mapping[str, Mapping[str, Any]], since: datetime
) -> Iterator[Entry]:
    for key, one in open_registrations(view).items():
        activity = activities.get(one["activity_id"])
        if activity is None or activity.get("cancelled") or activity["last_at"] < since:
            continue
        starts, last = activity["starts_at"], activity["last_at"]
        yield Entry(
            uid=f"registration-{key}",
            # Both only grow, and so does their sum: moving an activity changes its version alone.
            sequence=one["version"] + activity["version"] - 2,
            kind="registration",
            starts=starts,
            ends=last if last > starts else None,
            title=activity["title"],
            branch=activity["branch"],
            venue=activity["venue"],
            activity_type=activity["type"],
            tentative=one["state"] == "waitlisted",
        )
