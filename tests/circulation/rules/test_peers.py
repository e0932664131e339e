"""Test cases of other libraries' systems, applied to our rules.

Each case names its source; days, rates and results are theirs, in our terms. Where a peer
decides otherwise on purpose, the case says so and tests our rule.

Sources: Koha `t/db_dependent/Circulation/CalcFine.t`, `t/db_dependent/Circulation/CalcDateDue.t`,
`t/db_dependent/Calendar.t`; FOLIO mod-circulation `OverduePeriodCalculatorServiceTest`; Evergreen
`OpenILS/Application/Circ/CircCommon.pm`, `generate_fines` and its setting
`circ.fines.charge_when_closed`.
"""

from dataclasses import dataclass
from datetime import date

import pytest

from services.circulation.rules.calendar import Calendar, Closure, Week
from services.circulation.rules.fines import statement
from services.circulation.rules.policy import Policy

WEDNESDAY, SATURDAY, SUNDAY = 3, 6, 7


def calendar(
    *closed: tuple[str, str],
    weekly: frozenset[int] = frozenset(),
    weeks: tuple[Week, ...] = (),
) -> Calendar:
    """A branch that is closed in some spans, last days included, and on some weekdays."""
    closures = tuple(
        Closure(
            f"c{number}",
            date.fromisoformat(first),
            date.fromordinal(date.fromisoformat(last).toordinal() + 1),
        )
        for number, (first, last) in enumerate(closed)
    )
    return Calendar("B", "district", weekly, closures, weeks=weeks)


ALWAYS_OPEN = calendar()
NOT_WEDNESDAYS = calendar(weekly=frozenset({WEDNESDAY}))
ONE_WEDNESDAY_OPEN = calendar(
    weekly=frozenset({WEDNESDAY}),
    weeks=(
        Week(date(2019, 11, 13), frozenset()),
        Week(date(2019, 11, 14), frozenset({WEDNESDAY})),
    ),
)
CHRISTMAS = calendar(*((f"{year}-12-25", f"{year}-12-26") for year in (2018, 2019, 2020)))


@dataclass(frozen=True)
class Fine:
    """A loan that was returned late."""

    due: str
    back: str
    days: int
    calendar: Calendar = ALWAYS_OPEN
    per_day: int = 100
    cap: int | None = None
    cents: int | None = None
    grace: int = 0
    count_closed: bool = False


FINES = {
    "Koha CalcFine: 29 days at $1": Fine("2000-01-01", "2000-01-30", 29, cents=2_900),
    "Koha CalcFine: no more than the replacement price of $5": Fine(
        "2000-01-01", "2000-01-30", 5, cap=500, cents=500
    ),
    "Koha CalcFine: a cap of $3 below that price": Fine(
        "2000-01-01", "2000-01-30", 3, cap=300, cents=300
    ),
    "Koha Calendar: one day": Fine("2019-11-05", "2019-11-06", 1),
    "Koha Calendar: two days": Fine("2019-11-05", "2019-11-07", 2),
    "Koha Calendar: a week": Fine("2019-11-05", "2019-11-12", 7),
    "Koha Calendar: ten days": Fine("2019-11-05", "2019-11-15", 10),
    "Koha Calendar: summer time begins and ends": Fine("2016-03-09", "2017-01-01", 298),
    "Koha Calendar: back on a closed Wednesday": Fine(
        "2019-11-05", "2019-11-06", 0, NOT_WEDNESDAYS
    ),
    "Koha Calendar: a closed Wednesday in the middle": Fine(
        "2019-11-05", "2019-11-07", 1, NOT_WEDNESDAYS
    ),
    "Koha Calendar: a week with one Wednesday": Fine("2019-11-05", "2019-11-12", 6, NOT_WEDNESDAYS),
    "Koha Calendar: two Wednesdays, back on the second": Fine(
        "2019-11-05", "2019-11-13", 6, NOT_WEDNESDAYS
    ),
    "Koha Calendar: ten days with two Wednesdays": Fine(
        "2019-11-05", "2019-11-15", 8, NOT_WEDNESDAYS
    ),
    "Koha Calendar: due on a closed Wednesday, the next day is its due date": Fine(
        "2019-11-06", "2019-11-07", 0, NOT_WEDNESDAYS
    ),
    "Koha exception holidays: of two Wednesdays one is open": Fine(
        "2019-11-05", "2019-11-15", 9, ONE_WEDNESDAY_OPEN
    ),
    "Koha repeated holidays: Christmas of two years": Fine(
        "2018-12-20", "2019-12-31", 376 - 4, CHRISTMAS
    ),
    "FOLIO: open, closed, open": Fine(
        "2021-06-01", "2021-06-04", 2, calendar(("2021-06-03", "2021-06-03"))
    ),
    "FOLIO: closed days count where the policy says so": Fine(
        "2021-06-01", "2021-06-04", 3, calendar(("2021-06-03", "2021-06-03")), count_closed=True
    ),
    "FOLIO: as late as the days of grace": Fine("2021-06-01", "2021-06-10", 0, grace=9),
    # FOLIO subtracts the days of grace; by our rules one day more makes all of them count.
    "FOLIO decides otherwise: one day past the grace": Fine(
        "2021-06-01", "2021-06-12", 11, grace=5
    ),
    "Evergreen: no fine on days that the library is closed": Fine(
        "2010-12-20", "2011-01-03", 12, calendar(("2010-12-24", "2010-12-25"))
    ),
    "Evergreen: charge_when_closed": Fine(
        "2010-12-20", "2011-01-03", 14, calendar(("2010-12-24", "2010-12-25")), count_closed=True
    ),
    "Evergreen: closed Sundays and a maximum fine": Fine(
        "2010-12-20", "2011-01-30", 6, calendar(weekly=frozenset({SUNDAY})), 25, 130, 130
    ),
}


@pytest.mark.parametrize("case", FINES.values(), ids=FINES.keys())
def test_fines_match_the_published_examples_of_other_libraries(case: Fine) -> None:
    policy = Policy(
        id="default",
        fine_per_day_cents=case.per_day,
        fine_cap_cents=case.cap,
        grace_days=case.grace,
        count_closed_days=case.count_closed,
    )
    fine = statement(
        due_on=date.fromisoformat(case.due),
        until=date.fromisoformat(case.back),
        policy=policy,
        calendar=case.calendar,
        suspensions=(),
    )
    cents = case.days * case.per_day if case.cents is None else case.cents
    assert (fine.charged_days, fine.amount_cents) == (case.days, cents)


DUE = {
    "Koha CalcDateDue: nothing is closed": (date(2013, 2, 19), ALWAYS_OPEN, date(2013, 2, 19)),
    "Koha CalcDateDue: closed on the day": (
        date(2013, 2, 19),
        calendar(("2013-02-19", "2013-02-19")),
        date(2013, 2, 20),
    ),
    "Koha CalcDateDue: closed each Saturday": (
        date(2013, 2, 23),
        calendar(weekly=frozenset({SATURDAY})),
        date(2013, 2, 24),
    ),
    # Koha's mode Dayweek moves by whole weeks; our rule is the next open day.
    "Koha decides otherwise: three closed Saturdays": (
        date(2013, 2, 16),
        calendar(*((f"2013-02-{day}", f"2013-02-{day}") for day in (16, 23)), ("2013-03-02",) * 2),
        date(2013, 2, 17),
    ),
}


@pytest.mark.parametrize(("day", "branch", "due"), DUE.values(), ids=DUE.keys())
def test_due_dates_match_those_of_another_system(day: date, branch: Calendar, due: date) -> None:
    assert branch.next_open(day) == due


@pytest.mark.parametrize(
    ("days", "last"),
    [
        pytest.param(2, date(2019, 11, 7), id="Koha days_forward: no holiday on the way"),
        pytest.param(5, date(2019, 11, 11), id="Koha days_forward: one holiday, one day more"),
    ],
)
def test_open_days_are_counted_across_a_holiday(days: int, last: date) -> None:
    branch = calendar(("2019-11-08", "2019-11-08"))
    assert branch.open_day_after(date(2019, 11, 5), days) == last
