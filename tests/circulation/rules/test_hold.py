"""The states of a hold, the order of the queue, and the time on the hold shelf."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.circulation.refusals import HoldEnded, HoldNotWaiting
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import hold as hold_rules
from services.circulation.rules import hold_queue as hold_queue_rules
from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.hold_queue import Waiting, nearest
from services.circulation.rules.patron import Patron
from services.circulation.rules.policy import HONG_KONG

DAY = date(2021, 2, 19)  # a Friday
OPEN = Calendar("HKCL", "central")
HOLD = Hold(
    id="h1",
    patron_id="p1",
    title_id="t1",
    pickup_branch="HKCL",
    place=1,
    placed_at=datetime(2021, 2, 1, tzinfo=UTC),
)
COPY = Copy("c1", "t1", "B1", "adult", "HKCL")


def closed(first: date, reopened_on: date | None) -> Calendar:
    return Calendar("HKCL", "central", closures=(Closure("c1", first, reopened_on),))


def ready(on: date = DAY, days: int = 7, calendar: Calendar = OPEN) -> Hold:
    held, _ = hold_queue_rules.allot(HOLD, COPY, on=on, shelf_days=days, calendar=calendar)
    return held


def waiting(place: int, *, at: str = "HKCL", calendar: Calendar = OPEN, **more: object) -> Waiting:
    hold = replace(HOLD, id=f"h{place}", place=place, pickup_branch=at)
    hold = replace(hold, **{k: v for k, v in more.items() if k in hold.__dataclass_fields__})  # type: ignore[arg-type]
    patron = Patron(f"p{place}", "adult", blocked=bool(more.get("blocked")))
    return Waiting(hold, patron, int(str(more.get("owed", 0))), calendar)


# ---- the last day on the shelf ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "last"),
    [
        pytest.param(OPEN, date(2021, 2, 26), id="open daily"),
        pytest.param(
            Calendar("HKCL", "central", frozenset({7})), date(2021, 2, 27), id="a Sunday is closed"
        ),
        pytest.param(
            closed(date(2021, 2, 22), date(2021, 3, 1)), date(2021, 3, 5), id="a closure within"
        ),
        pytest.param(
            closed(date(2021, 2, 26), date(2021, 3, 1)), date(2021, 3, 1), id="closed on the last"
        ),
        pytest.param(closed(date(2021, 2, 22), None), None, id="no end announced"),
        pytest.param(closed(date(2021, 2, 27), None), date(2021, 2, 26), id="a later closure"),
    ],
)
def test_a_copy_is_kept_on_the_hold_shelf_for_seven_open_days(
    calendar: Calendar, last: date | None
) -> None:
    assert calendar.open_day_after(DAY, 7) == last


def test_the_last_shelf_day_is_never_earlier_than_announced() -> None:
    ends_later = closed(date(2021, 2, 22), date(2021, 3, 1))
    told = hold_queue_rules.move_shelf(ready(), ends_later, DAY)
    assert told.shelf_until == date(2021, 3, 5)
    assert hold_queue_rules.move_shelf(told, OPEN, DAY) is told  # the closure was withdrawn
    assert not hold_queue_rules.is_uncollected(told, OPEN, date(2021, 3, 5))
    assert hold_queue_rules.is_uncollected(told, OPEN, date(2021, 3, 6))


def test_a_hold_that_is_not_ready_has_no_day_on_the_shelf() -> None:
    assert hold_queue_rules.shelf_end(HOLD, OPEN, DAY) is None
    assert hold_queue_rules.move_shelf(HOLD, OPEN, DAY) is HOLD
    assert not hold_queue_rules.is_uncollected(HOLD, OPEN, date(2021, 12, 31))


def test_a_ready_hold_without_an_announced_end_gets_its_day_with_the_reopening() -> None:
    told = ready(calendar=closed(date(2021, 2, 22), None))
    assert told.shelf_until is None
    assert not hold_queue_rules.is_uncollected(
        told, closed(date(2021, 2, 22), None), date(2021, 12, 31)
    )
    moved = hold_queue_rules.move_shelf(told, closed(date(2021, 2, 22), date(2021, 3, 1)), DAY)
    assert (moved.shelf_until, moved.version) == (date(2021, 3, 5), told.version + 1)


def test_a_last_day_that_passed_before_it_was_known_is_counted_anew() -> None:
    told = ready(calendar=closed(date(2021, 2, 22), None))
    withdrawn = date(2021, 4, 7)  # as an error: the library had been open all the time
    assert not hold_queue_rules.is_uncollected(told, OPEN, withdrawn)
    moved = hold_queue_rules.move_shelf(told, OPEN, withdrawn)
    assert moved.shelf_until == OPEN.open_day_after(withdrawn, 7)
    assert hold_queue_rules.move_shelf(moved, OPEN, date(2021, 4, 9)) is moved
    still_closed = closed(date(2021, 4, 1), None)
    assert hold_queue_rules.move_shelf(told, still_closed, withdrawn) is told


# ---- the queue ----------------------------------------------------------------------------------

PASSED_OVER = {
    "blocked": waiting(1, blocked=True),
    "owes": waiting(1, owed=1),
    "frozen": waiting(1, frozen=True),
    "frozen until tomorrow": waiting(1, frozen=True, frozen_until=date(2021, 2, 20)),
    "no longer wanted": waiting(1, expires_on=date(2021, 2, 18)),
    "its branch is closed with no end": waiting(1, calendar=closed(DAY, None)),
    "its patron is not known": replace(waiting(1), patron=None),
    "its branch is not known": replace(waiting(1), calendar=None),
}
SERVED = {
    "waits": waiting(1),
    "frozen until today": waiting(1, frozen=True, frozen_until=DAY),
    "wanted until today": waiting(1, expires_on=DAY),
    "its branch reopens": waiting(1, calendar=closed(DAY, date(2021, 6, 1))),
}


@pytest.mark.parametrize("why", PASSED_OVER)
def test_a_hold_that_cannot_be_served_is_passed_over(why: str) -> None:
    assert not PASSED_OVER[why].can_be_served(COPY.category, HONG_KONG, DAY)


@pytest.mark.parametrize("why", SERVED)
def test_a_hold_that_waits_can_be_served(why: str) -> None:
    assert SERVED[why].can_be_served(COPY.category, HONG_KONG, DAY)


def test_a_hold_gets_the_nearest_copy() -> None:
    far = Copy("c2", "t1", "B2", "adult", "LFU")
    assert nearest([COPY, far], "LFU", in_hand=()) is far
    assert nearest([COPY, far], "HKCL", in_hand=()) is COPY
    bound = copy_rules.send(replace(COPY, id="c3", barcode="B0"), "LFU")
    assert nearest([COPY, bound], "LFU", in_hand=()) is bound  # it is in transit there already
    assert nearest([bound, far], "LFU", in_hand=()) is far
    assert nearest([], "LFU", in_hand=()) is None


def test_the_scanned_copy_is_assigned_before_another_at_the_pick_up_branch() -> None:
    scanned = replace(COPY, id="c9", barcode="B9")
    assert nearest([COPY, scanned], "HKCL", in_hand=()) is COPY
    assert nearest([COPY, scanned], "HKCL", in_hand=["c9"]) is scanned


# ---- states -------------------------------------------------------------------------------------


def test_a_copy_that_arrives_at_a_wrong_branch_is_sent_on_and_the_hold_is_unchanged() -> None:
    away = replace(HOLD, pickup_branch="LFU")
    sent, copy = hold_queue_rules.allot(
        away, COPY, on=DAY, shelf_days=7, calendar=Calendar("LFU", "small")
    )
    assert (sent.state, copy.bound_for) == (HoldState.IN_TRANSIT, "LFU")
    again, copy = hold_queue_rules.allot(
        sent,
        copy_rules.arrive(copy, "STPL"),
        on=DAY,
        shelf_days=7,
        calendar=Calendar("LFU", "small"),
    )
    assert again is sent
    assert (copy.at_branch, copy.bound_for, copy.hold_id) == ("STPL", "LFU", "h1")


@pytest.mark.parametrize("state", ["collected", "cancelled", "expired"])
def test_an_ended_hold_refuses_every_change(state: str) -> None:
    over = replace(HOLD, state=HoldState(state))
    steps: tuple[Callable[[], Hold], ...] = (
        lambda: hold_rules.cancel(over, DAY, "patron"),
        lambda: hold_rules.redirect(over, "LFU"),
        lambda: hold_rules.freeze(over, True, None, DAY),
        lambda: hold_rules.put_back(over),
        lambda: hold_rules.expire(over, DAY),
        lambda: hold_rules.collect(over, DAY),
    )
    for step in steps:
        with pytest.raises(HoldEnded):
            step()


def test_a_ready_hold_cannot_be_frozen() -> None:
    with pytest.raises(HoldNotWaiting):
        hold_rules.freeze(ready(), True, None, DAY)


def test_a_hold_keeps_its_place_when_its_copy_is_unavailable() -> None:
    waits = hold_rules.put_back(ready())
    assert (waits.state, waits.place, waits.copy_id, waits.shelf_until) == (
        HoldState.WAITING,
        1,
        None,
        None,
    )


def test_an_assigned_copy_on_a_shelf_is_to_fetch_and_ready_once_scanned() -> None:
    held, copy = hold_queue_rules.assign(HOLD, COPY)
    assert (held.state, held.copy_id, held.ready_on) == (HoldState.TO_FETCH, "c1", None)
    assert (copy.state, copy.at_branch, copy.hold_id) == (CopyState.TO_FETCH, "HKCL", "h1")
    scanned = copy_rules.arrive(copy, "HKCL")
    held, copy = hold_queue_rules.allot(held, scanned, on=DAY, shelf_days=7, calendar=OPEN)
    assert (held.state, held.ready_on, held.shelf_until) == (
        HoldState.READY,
        DAY,
        date(2021, 2, 26),
    )
    assert copy.state is CopyState.ON_SHELF


def test_a_hold_ready_at_another_branch_is_fetched_from_the_hold_shelf() -> None:
    moved = hold_rules.redirect(ready(), "LFU")
    assert (moved.state, moved.pickup_branch, moved.copy_id) == (HoldState.TO_FETCH, "LFU", "c1")
    assert (moved.ready_on, moved.shelf_days, moved.shelf_until) == (None, 0, None)
