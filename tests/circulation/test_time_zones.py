"""Days are those of the library's time zone, also when its clocks change.

Each instant below is worked out from the rules of the zone by hand, and given with its offset.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from services.circulation.app import create_app
from tests.circulation.desk import OPS, STAFF, Desk, branch, card_of, settings_for
from tests.support import served

In = Callable[[str], AbstractAsyncContextManager[Desk]]


@pytest.fixture
def desk_in(mongo_url: str, database: str) -> In:
    """A function that opens a desk in a library of a given time zone."""

    @asynccontextmanager
    async def open_desk(zone: str) -> AsyncIterator[Desk]:
        settings = settings_for(mongo_url, database).model_copy(update={"time_zone": zone})
        async with served(create_app, settings) as api:
            desk = Desk(api)
            await desk.hear(branch())
            await desk.patron()
            yield desk

    return open_desk


async def lend(desk: Desk, at: str) -> dict[str, Any]:
    """Lend a new copy at an instant, and return the loan."""
    [barcode] = await desk.copies(1)
    body = {"card_number": card_of("p1"), "barcodes": [barcode], "branch": "HKCL"}
    answer = await desk.api.post("/v1/checkouts", body, as_=STAFF, at=at)
    [result] = answer.json()["results"]
    assert result["ok"], result
    loan: dict[str, Any] = result["loan"]
    return loan


async def take_back(desk: Desk, loan: dict[str, Any], at: str) -> dict[str, Any]:
    """Return a loan's copy at an instant, and return the result."""
    body = {"barcodes": [loan["barcode"]], "branch": "HKCL", "channel": "desk"}
    answer = await desk.api.post("/v1/returns", body, as_=STAFF, at=at)
    [result] = answer.json()["results"]
    assert result["ok"], result
    found: dict[str, Any] = result
    return found


LATE_IN_THE_EVENING = [
    # zone, 23:30 of a day, 00:30 of the next, the day
    pytest.param(
        "Europe/London",
        "2021-03-27T23:30:00+00:00",
        "2021-03-28T00:30:00+00:00",
        "2021-03-27",
        id="London before spring",
    ),
    pytest.param(
        "Europe/London",
        "2021-03-28T23:30:00+01:00",
        "2021-03-29T00:30:00+01:00",
        "2021-03-28",
        id="London, the day of 23 hours",
    ),
    pytest.param(
        "Europe/London",
        "2021-10-31T23:30:00+00:00",
        "2021-11-01T00:30:00+00:00",
        "2021-10-31",
        id="London, the day of 25 hours",
    ),
    pytest.param(
        "America/New_York",
        "2021-03-14T23:30:00-04:00",
        "2021-03-15T00:30:00-04:00",
        "2021-03-14",
        id="New York, the day of 23 hours",
    ),
    pytest.param(
        "America/New_York",
        "2021-11-07T23:30:00-05:00",
        "2021-11-08T00:30:00-05:00",
        "2021-11-07",
        id="New York, the day of 25 hours",
    ),
    pytest.param(
        "Asia/Hong_Kong",
        "2021-03-28T23:30:00+08:00",
        "2021-03-29T00:30:00+08:00",
        "2021-03-28",
        id="Hong Kong, where every day has 24",
    ),
    pytest.param(
        "Pacific/Apia",
        "2021-04-04T23:30:00+13:00",
        "2021-04-05T00:30:00+13:00",
        "2021-04-04",
        id="Apia, the day of 25 hours, 13 ahead of UTC",
    ),
]


@pytest.mark.parametrize(("zone", "evening", "after_midnight", "day"), LATE_IN_THE_EVENING)
async def test_a_loan_begins_on_the_library_day(
    desk_in: In, zone: str, evening: str, after_midnight: str, day: str
) -> None:
    async with desk_in(zone) as desk:
        today, tomorrow = await lend(desk, evening), await lend(desk, after_midnight)
    first = date.fromisoformat(day)
    assert (today["borrowed_on"], tomorrow["borrowed_on"]) == (day, str(first + timedelta(1)))
    assert today["due_on"] == str(first + timedelta(14))
    assert tomorrow["due_on"] == str(first + timedelta(15))


OVER_A_CHANGE = [
    # zone, a loan, and its returns: last minute of the due date, first minute after, one day more
    pytest.param(
        "Europe/London",
        "2021-03-15T12:00:00+00:00",
        (
            "2021-03-29T23:59:00+01:00",
            "2021-03-30T00:01:00+01:00",
            "2021-03-31T00:01:00+01:00",
        ),
        id="London in spring",
    ),
    pytest.param(
        "Europe/London",
        "2021-10-17T12:00:00+01:00",
        (
            "2021-10-31T23:59:00+00:00",
            "2021-11-01T00:01:00+00:00",
            "2021-11-02T00:01:00+00:00",
        ),
        id="London in autumn, due on the day itself",
    ),
    pytest.param(
        "America/New_York",
        "2021-02-28T12:00:00-05:00",
        (
            "2021-03-14T23:59:00-04:00",
            "2021-03-15T00:01:00-04:00",
            "2021-03-16T00:01:00-04:00",
        ),
        id="New York in spring, due on the day itself",
    ),
    pytest.param(
        "America/New_York",
        "2021-10-25T12:00:00-04:00",
        (
            "2021-11-08T23:59:00-05:00",
            "2021-11-09T00:01:00-05:00",
            "2021-11-10T00:01:00-05:00",
        ),
        id="New York in autumn",
    ),
]


@pytest.mark.parametrize(("zone", "lent", "returned"), OVER_A_CHANGE)
async def test_daylight_saving_changes_neither_add_nor_remove_an_overdue_day(
    desk_in: In, zone: str, lent: str, returned: Sequence[str]
) -> None:
    async with desk_in(zone) as desk:
        loans = [await lend(desk, lent) for _ in range(3)]
        returns = [
            await take_back(desk, loan, at) for loan, at in zip(loans, returned, strict=True)
        ]
    charged = [(found.get("charge") or {"amount_cents": 0})["amount_cents"] for found in returns]
    assert charged == [0, 150, 300]  # a day's fine is 150 cents


@pytest.mark.parametrize(
    ("zone", "lent", "hours"),
    [
        pytest.param(
            "Europe/London",
            "2021-10-16T12:00:00+01:00",
            # Due on the 30th; on the 31st, 1:30 occurs twice.
            [
                ("2021-10-30T23:59:00+01:00", 0),
                ("2021-10-31T00:01:00+01:00", 1),
                ("2021-10-31T01:30:00+01:00", 0),
                ("2021-10-31T01:30:00+00:00", 0),
                ("2021-10-31T23:59:00+00:00", 0),
                ("2021-11-01T00:01:00+00:00", 0),
            ],
            id="London, an hour that comes twice",
        ),
        pytest.param(
            "America/New_York",
            "2021-02-27T12:00:00-05:00",
            # Due on the 13th; on the 14th, 2:30 does not exist.
            [
                ("2021-03-13T23:59:00-05:00", 0),
                ("2021-03-14T01:59:00-05:00", 1),
                ("2021-03-14T03:01:00-04:00", 0),
                ("2021-03-15T00:01:00-04:00", 0),
            ],
            id="New York, an hour that never comes",
        ),
    ],
)
async def test_the_overdue_job_notifies_once_across_daylight_saving_changes(
    desk_in: In, zone: str, lent: str, hours: list[tuple[str, int]]
) -> None:
    async with desk_in(zone) as desk:
        await lend(desk, lent)
        done = []
        for at, _ in hours:
            answer = await desk.api.post("/v1/ops/jobs/circulation/overdue", as_=OPS, at=at)
            done.append(answer.json()["done"])
        told = await desk.count("loan.overdue")
    assert done == [count for _, count in hours]
    assert told == 1
