"""The rules of occupancy: capacity, doors, the queue with its calls, and what is published when."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.notices.visits import rules as visits_rules
from services.notices.visits.refusals import BranchFull, NotFull, QueueFull, TooManyDoors
from services.notices.visits.rules import CALL, PUBLISH, Occupancy

NOW = datetime(2021, 3, 8, 2, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def empty(day: date = date(2021, 3, 8)) -> Occupancy:
    return Occupancy("HKCL", 1, day)


def full(capacity: int = 2) -> Occupancy:
    return visits_rules.enter(empty(), capacity, capacity, NOW, "A")


def test_all_people_enter_or_none_of_them() -> None:
    one = visits_rules.enter(empty(), 1, 3, NOW, "A")
    with pytest.raises(BranchFull) as refused:
        visits_rules.enter(one, 3, 3, NOW, "B")
    assert refused.value.extra["free"] == 2
    three = visits_rules.enter(one, 2, 3, NOW, "B")
    assert (three.inside, three.entered) == (3, 3)
    assert [(door.name, door.entered) for door in three.doors] == [("A", 1), ("B", 2)]


def test_without_a_capacity_anybody_enters() -> None:
    assert visits_rules.enter(full(), 100, None, NOW, "A").inside == 102


def test_no_more_people_leave_than_are_inside() -> None:
    left = visits_rules.leave(full(), 5, 2, NOW, "A")
    assert (left.inside, left.doors[0].left, left.entered) == (0, 2, 2)


def test_a_branch_counts_twenty_doors() -> None:
    now = empty()
    for number in range(20):
        now = visits_rules.enter(now, 1, None, NOW, f"Door {number}")
    assert visits_rules.enter(now, 1, None, NOW, "Door 3").inside == 21
    with pytest.raises(TooManyDoors):
        visits_rules.enter(now, 1, None, NOW, "Door 20")


def test_nobody_waits_while_there_is_room() -> None:
    with pytest.raises(NotFull):
        visits_rules.wait(empty(), "t", 2, NOW)
    with pytest.raises(NotFull):
        visits_rules.wait(full(), "t", None, NOW)


def test_the_queue_has_an_end() -> None:
    now = full()
    for number in range(visits_rules.MOST_WAITING):
        now = visits_rules.wait(now, str(number), 2, NOW)
    with pytest.raises(QueueFull):
        visits_rules.wait(now, "one more", 2, NOW)


def test_a_free_place_is_kept_for_the_first_in_the_queue() -> None:
    now = visits_rules.wait(visits_rules.wait(full(), "first", 2, NOW), "second", 2, NOW)
    assert (now.position("first"), now.position("second")) == (1, 2)
    now = visits_rules.leave(now, 1, 2, NOW, "A")
    assert (now.position("first"), now.position("second")) == (0, 1)
    with pytest.raises(BranchFull):
        visits_rules.enter(now, 1, 2, NOW, "A")
    with pytest.raises(BranchFull):
        visits_rules.enter(now, 1, 2, NOW, "A", ticket_id="second")
    now = visits_rules.enter(now, 1, 2, NOW, "A", ticket_id="first")
    assert (now.inside, now.position("first"), now.position("second")) == (2, None, 1)


def test_a_call_that_lapses_calls_exactly_the_next_one() -> None:
    now = full()
    for ticket in ("first", "second", "third"):
        now = visits_rules.wait(now, ticket, 2, NOW)
    now = visits_rules.leave(now, 1, 2, NOW, "A")
    assert visits_rules.called(now, 2, NOW + CALL - MINUTE) is now
    later = visits_rules.called(now, 2, NOW + CALL)
    assert [later.position(ticket) for ticket in ("first", "second", "third")] == [None, 0, 1]
    assert visits_rules.called(later, 2, NOW + CALL) is later


def test_more_people_are_never_inside_and_called_than_the_capacity() -> None:
    now = full(3)
    for number in range(5):
        now = visits_rules.wait(now, str(number), 3, NOW)
    for minute in range(60):
        at = NOW + minute * MINUTE
        now = (
            visits_rules.leave(now, 1, 3, at, "A")
            if minute % 3
            else visits_rules.called(now, 3, at)
        )
        assert now.inside + now.called <= 3
        assert now.called + now.waiting == len(now.queue)


def test_a_new_day_begins_empty_and_goes_on_counting_versions() -> None:
    busy = visits_rules.wait(full(), "t", 2, NOW)
    assert visits_rules.of_day(busy, "HKCL", busy.day) is busy
    fresh = visits_rules.of_day(busy, "HKCL", date(2021, 3, 9))
    assert fresh == Occupancy("HKCL", busy.version, date(2021, 3, 9))
    assert visits_rules.of_day(None, "HKCL", busy.day).version == 0


def test_after_closing_time_nobody_is_inside_and_nobody_waits() -> None:
    closed = visits_rules.closed(visits_rules.wait(full(), "t", 2, NOW))
    assert (closed.inside, closed.queue, closed.entered) == (0, (), 2)


def test_the_wait_is_estimated_from_those_who_left_in_the_last_hour() -> None:
    now = full(10)
    assert visits_rules.minutes_to_wait(now, 1, NOW) is None
    now = visits_rules.leave(now, 4, 10, NOW, "A")
    assert visits_rules.minutes_to_wait(now, 1, NOW) == 15
    assert visits_rules.minutes_to_wait(now, 3, NOW) == 45
    assert visits_rules.minutes_to_wait(now, 1, NOW + timedelta(hours=2)) is None


def test_slots_have_the_greatest_and_the_last_number_of_people() -> None:
    now = visits_rules.enter(empty(), 5, None, NOW, "A")
    now = visits_rules.leave(now, 3, None, NOW + MINUTE, "A")
    now = visits_rules.enter(now, 1, None, NOW + 20 * MINUTE, "A")
    assert [(slot.at.minute, slot.most, slot.inside, slot.left) for slot in now.slots] == [
        (15, 5, 2, 3),
        (30, 3, 3, 0),
    ]


@pytest.mark.parametrize(
    ("inside", "level"), [(0, "quiet"), (79, "quiet"), (80, "busy"), (100, "full")]
)
def test_levels_depend_on_the_capacity(inside: int, level: str) -> None:
    now = visits_rules.enter(empty(), inside, 100, NOW, "A") if inside else empty()
    assert visits_rules.level(now, 100) == level
    assert visits_rules.level(now, None) == "quiet"


def test_a_change_is_published_after_a_minute_and_a_new_level_at_once() -> None:
    first = visits_rules.enter(empty(), 1, 10, NOW, "A")
    assert visits_rules.due(first, 10, NOW)
    told = replace(first, published_at=NOW, published="quiet")
    second = visits_rules.enter(told, 1, 10, NOW, "A")
    assert not visits_rules.due(second, 10, NOW + PUBLISH - MINUTE / 2)
    assert visits_rules.due(second, 10, NOW + PUBLISH)
    assert visits_rules.due(visits_rules.enter(second, 8, 10, NOW, "A"), 10, NOW)
