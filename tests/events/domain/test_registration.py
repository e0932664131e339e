"""Places and the waiting list: first come, first served."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.events.activities import refusals
from services.events.activities import rules as activities_rules
from services.events.activities.rules import (
    Activity,
    Places,
    Registration,
    RegistrationState,
    check_open,
)
from services.events.refusals import Refusal

NOW = datetime(2021, 2, 26, 10, tzinfo=UTC)
CONFIRMED, WAITLISTED = RegistrationState.CONFIRMED, RegistrationState.WAITLISTED
HONG_KONG = ZoneInfo("Asia/Hong_Kong")


def registered(places: Places, patron: str = "p") -> tuple[Places, Registration]:
    return activities_rules.register(
        places, registration_id=f"r-{patron}", patron_id=patron, at=NOW
    )


def talk(starts_at: datetime, **more: Any) -> Activity:
    fields: dict[str, Any] = dict.fromkeys(
        ("branch", "ends_at", "speaker", "language", "enquiries", "recording_from")
    )
    return Activity(
        id="a",
        title="A talk",
        type="talk",
        venue="Hall",
        organiser="The library",
        starts_at=starts_at,
        **{**fields, **more},
    )


@pytest.mark.parametrize(
    ("places", "left", "state"),
    [
        pytest.param(Places("a", 2), 2, CONFIRMED, id="nobody has come"),
        pytest.param(Places("a", 2, taken=1, turns=1), 1, CONFIRMED, id="the last place"),
        pytest.param(Places("a", 2, taken=2, turns=2), 0, WAITLISTED, id="all are taken"),
        pytest.param(
            Places("a", 2, taken=1, waiting=1, turns=3), 0, WAITLISTED, id="somebody waits before"
        ),
        pytest.param(Places("a", 1, taken=2, turns=2), 0, WAITLISTED, id="more than there are"),
    ],
)
def test_a_registration_gets_a_free_place_or_joins_the_waiting_list(
    places: Places, left: int, state: RegistrationState
) -> None:
    assert places.left == left
    after, registration = registered(places)
    assert registration.state is state
    assert registration.turn == after.turns == places.turns + 1
    assert (after.taken, after.waiting) == (
        (places.taken + 1, places.waiting)
        if state is CONFIRMED
        else (places.taken, places.waiting + 1)
    )


@pytest.mark.parametrize(
    ("places", "get_one"),
    [
        pytest.param(Places("a", 2, taken=2, waiting=3), 0, id="none is free"),
        pytest.param(Places("a", 2, taken=1, waiting=3), 1, id="one is free"),
        pytest.param(Places("a", 9, taken=1, waiting=3), 3, id="more than wait are free"),
    ],
)
def test_free_places_go_to_the_first_patrons_on_the_waiting_list(
    places: Places, get_one: int
) -> None:
    waiting = [
        Registration(
            id=f"r{turn}",
            activity_id="a",
            patron_id=f"p{turn}",
            turn=turn,
            state=WAITLISTED,
            registered_at=NOW,
        )
        for turn in (3, 4, 7)
    ]
    after, given = activities_rules.give(places, waiting, at=NOW)
    assert [(one.turn, one.state, one.version) for one in given] == [
        (turn, CONFIRMED, 2) for turn in (3, 4, 7)[:get_one]
    ]
    assert (after.taken, after.waiting) == (places.taken + get_one, places.waiting - get_one)


@pytest.mark.parametrize(
    ("starts_at", "refused"),
    [
        pytest.param(datetime(2021, 2, 26, 10, 0, 1, tzinfo=UTC), None, id="a second before"),
        pytest.param(NOW, refusals.ActivityBegun, id="as it begins"),
        pytest.param(datetime(2021, 2, 25, tzinfo=UTC), refusals.ActivityBegun, id="the day after"),
    ],
)
def test_registering_is_refused_once_the_activity_begins(
    starts_at: datetime, refused: type[Refusal] | None
) -> None:
    activity = talk(starts_at)
    if refused is None:
        check_open(activity, NOW)
    else:
        with pytest.raises(refused):
            check_open(activity, NOW)


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=40))
def test_places_are_given_in_order_and_none_is_free_while_patrons_wait(
    count: int, steps: list[int | None]
) -> None:
    """A step registers a new patron (None), or withdraws the registration at this index."""
    places = Places("a", count)
    there: list[Registration] = []
    for number, step in enumerate(steps):
        if step is None:
            places, new = registered(places, str(number))
            there.append(new)
        elif there:
            places, _ = activities_rules.end(places, there.pop(step % len(there)))
            waiting = [one for one in there if one.state is WAITLISTED]
            places, given = activities_rules.give(places, waiting, at=NOW)
            there = [next((new for new in given if new.id == old.id), old) for old in there]
        states = [one.state for one in there]  # in turn, since each new one comes last
        assert states == sorted(states)  # "confirmed" before "waitlisted"
        assert places.taken == states.count(CONFIRMED) <= count
        assert places.waiting == states.count(WAITLISTED)
        assert places.to_give == 0
        assert places.left == (0 if places.waiting else count - places.taken)
    assert len({one.turn for one in there}) == len(there)


def test_an_ended_registration_is_not_counted() -> None:
    places, first = registered(Places("a", 1), "1")
    places, second = registered(places, "2")
    after, ended = activities_rules.end(places, second)
    assert (ended.state, ended.version) == (RegistrationState.CANCELLED, 2)
    assert after == replace(places, waiting=0, version=places.version + 1)
    after, _ = activities_rules.end(places, first)
    assert (after.taken, after.to_give) == (0, 1)


EVENING = datetime(2021, 2, 27, 11, tzinfo=UTC)
"""Start of a talk at 7 pm in Hong Kong."""
MIDNIGHT = datetime(2021, 2, 26, 16, tzinfo=UTC)
"""The first moment of its day there."""


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(MIDNIGHT, id="the first moment of its day"),
        pytest.param(EVENING, id="as it begins"),
        pytest.param(EVENING + timedelta(days=9), id="from a list on paper, days later"),
    ],
)
def test_attendance_is_recorded_from_the_activitys_day_on(at: datetime) -> None:
    _, registration = registered(Places("a", 1))
    attended = activities_rules.attend(registration, talk(EVENING), at=at, zone=HONG_KONG)
    assert attended == replace(registration, attended_at=at, version=2)
    later = at + timedelta(minutes=5)
    assert activities_rules.attend(attended, talk(EVENING), at=later, zone=HONG_KONG) is attended
    withdrawn = activities_rules.withdraw_attendance(attended)
    assert withdrawn == replace(registration, version=3)
    assert activities_rules.withdraw_attendance(withdrawn) is withdrawn


@pytest.mark.parametrize(
    ("places", "activity", "at", "refused"),
    [
        pytest.param(
            Places("a", 1),
            talk(EVENING),
            MIDNIGHT - timedelta(seconds=1),
            refusals.NotItsDay,
            id="the last moment of the day before",
        ),
        pytest.param(
            Places("a", 0), talk(EVENING), EVENING, refusals.OnWaitingList, id="without a place"
        ),
        pytest.param(
            Places("a", 1),
            talk(EVENING, cancelled_at=NOW),
            EVENING,
            refusals.ActivityCancelled,
            id="of a cancelled activity",
        ),
    ],
)
def test_no_attendance_is_recorded(
    places: Places, activity: Activity, at: datetime, refused: type[Refusal]
) -> None:
    _, registration = registered(places)
    with pytest.raises(refused):
        activities_rules.attend(registration, activity, at=at, zone=HONG_KONG)


def test_a_patron_on_the_waiting_list_has_no_attendance_to_withdraw() -> None:
    _, registration = registered(Places("a", 0))
    with pytest.raises(refusals.OnWaitingList):
        activities_rules.withdraw_attendance(registration)
