"""The ready table of activities counts the patrons who attended and those who did not."""

from collections import defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.analytics.columns import event_row
from ops.analytics.destination import Row
from ops.analytics.folder import Folder
from shared.contracts import Event, circulation, events
from shared.ids import new_id
from tests import samples
from tests.published import ask

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
QUERY = "SELECT activity_id, attended, no_shows FROM activities ORDER BY activity_id"


def add(path: Path, told: list[tuple[Event, float]]) -> None:
    """Add events to tables, each with the hours from the first day until it happened."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for event, hours in told:
        at = samples.at(hours)
        row = event_row(event, new_id(), at, HONG_KONG)
        rows[event.topic].append(row | {"recorded_at": at})
    with Folder.opened(path, HONG_KONG.key) as folder:
        folder.add(rows, {})


def activity(name: str, *, attended: str = "", **more: Any) -> list[tuple[Event, float]]:
    """Return the events of an activity on the second day: three have a place, one may attend.

    `attended` is the state of that registration afterwards; `withdrawn`: its attendance was
    recorded in error; empty: nothing is recorded.
    """
    told: list[tuple[Event, float]] = [
        (samples.activity(name, starts_at=samples.at(24), **more), 0),
        *(
            (samples.registration(events.RegistrationConfirmed, 1, one, activity_id=name), 0)
            for one in (f"{name}-{number}" for number in range(3))
        ),
    ]
    came: dict[str, Any] = {"activity_id": name, "attended_at": samples.at(24)}
    if attended:
        one = samples.registration(events.RegistrationAttended, 2, f"{name}-0", **came)
        told.append((one, 24))
    if attended == "withdrawn":
        withdrawn = events.RegistrationAttendanceWithdrawn
        told.append((samples.registration(withdrawn, 3, f"{name}-0", activity_id=name), 24))
    if attended == "cancelled":
        kind, state = events.RegistrationCancelled, {"state": attended, "by": "erased"}
        told.append((samples.registration(kind, 3, f"{name}-0", **came, **state), 24))
    return told


def test_no_shows_are_counted_after_the_day_of_an_activity_with_recorded_attendance(
    tmp_path: Path,
) -> None:
    off: dict[str, Any] = {"kind": events.ActivityCancelled, "cancelled": True, "reason": "Ill"}
    told = [
        *activity("cancelled", attended="confirmed"),
        (samples.activity("cancelled", 2, starts_at=samples.at(24), **off), 24),
        *activity("erased", attended="cancelled"),
        *activity("of-one-day", attended="confirmed"),
        *activity("of-two-days", attended="confirmed", ends_at=samples.at(48)),
        *activity("unrecorded"),
    ]
    add(tmp_path, told)
    assert ask(tmp_path, QUERY) == [
        ("cancelled", 1, None),
        ("erased", 0, None),
        ("of-one-day", 1, None),
        ("of-two-days", 1, None),
        ("unrecorded", None, None),
    ]
    add(tmp_path, [(samples.loan(circulation.LoanCheckedOut, 1), 48)])
    assert ask(tmp_path, QUERY) == [
        ("cancelled", 1, None),
        ("erased", 0, 2),
        ("of-one-day", 1, 2),
        ("of-two-days", 1, None),
        ("unrecorded", None, None),
    ]


def test_a_withdrawn_attendance_counts_no_more(tmp_path: Path) -> None:
    told = [
        *activity("all-withdrawn", attended="withdrawn"),
        *activity("one-of-two-withdrawn", attended="withdrawn"),
    ]
    came: dict[str, Any] = {"activity_id": "one-of-two-withdrawn", "attended_at": samples.at(25)}
    other = samples.registration(events.RegistrationAttended, 2, "one-of-two-withdrawn-1", **came)
    told += [(other, 25), (samples.loan(circulation.LoanCheckedOut, 1), 48)]
    add(tmp_path, told[::-1])  # the order of the events does not matter
    assert ask(tmp_path, QUERY) == [
        ("all-withdrawn", None, None),
        ("one-of-two-withdrawn", 1, 2),
    ]
