"""A junior patron becomes an adult one on their birthday, once, if the date of birth is known."""

import asyncio
from datetime import date
from typing import Any

import pytest

from services.accounts.patrons.rules import is_of_age, latest_birth
from tests.accounts.people import STAFF, events, registered
from tests.support import Api

BORN = {"category": "junior", "born_on": "2003-02-28"}
BEFORE, BIRTHDAY = "2021-02-27T23:59:00+08:00", "2021-02-28T00:10:00+08:00"


async def birthdays(api: Api, at: str) -> int:
    return await api.job("accounts/birthdays", at=at)


async def category(api: Api, patron: dict[str, Any]) -> str:
    found = await api.get(f"/v1/patrons/{patron['id']}", as_=STAFF)
    return str(found.json()["category"])


async def told(api: Api) -> list[dict[str, Any]]:
    return [event for topic, event in await events(api) if topic == "patron.came-of-age"]


@pytest.mark.parametrize(
    ("born_on", "on", "of_age"),
    [
        (date(2003, 2, 28), date(2021, 2, 27), False),
        (date(2003, 2, 28), date(2021, 2, 28), True),
        (date(2004, 2, 29), date(2022, 2, 28), False),
        (date(2004, 2, 29), date(2022, 3, 1), True),
        (date(2006, 2, 28), date(2024, 2, 29), True),
        (date(2006, 3, 1), date(2024, 2, 29), False),
        (date(1950, 1, 1), date(2021, 1, 1), True),
    ],
)
def test_a_person_is_of_age_from_the_birthday_on(born_on: date, on: date, of_age: bool) -> None:
    assert is_of_age(born_on, on, 18) is of_age
    assert (born_on <= latest_birth(on, 18)) is of_age


async def test_a_junior_becomes_an_adult_on_the_birthday_of_the_librarys_day(api: Api) -> None:
    mei = await registered(api, **BORN)
    assert mei["born_on"] == "2003-02-28"
    unknown = await registered(api, card_number="HK-2", category="junior")
    younger = await registered(api, **BORN | {"card_number": "HK-3", "born_on": "2003-03-01"})
    other = await registered(api, **BORN | {"card_number": "HK-4", "category": "institution"})
    assert await birthdays(api, BEFORE) == 0
    assert await birthdays(api, BIRTHDAY) == 1
    found = [await category(api, one) for one in (mei, unknown, younger, other)]
    assert found == ["adult", "junior", "junior", "institution"]
    [event] = await told(api)
    assert (event["patron_id"], event["category"], event["version"]) == (mei["id"], "adult", 2)
    assert "2003" not in str(event)


async def test_the_job_at_two_replicas_at_once_changes_each_patron_once(api: Api) -> None:
    mei = await registered(api, **BORN)
    done = await asyncio.gather(*(birthdays(api, BIRTHDAY) for _ in range(4)))
    assert sum(done) == 1
    assert await birthdays(api, BIRTHDAY) == 0
    assert [event["patron_id"] for event in await told(api)] == [mei["id"]]


async def test_a_date_of_birth_is_added_later_and_is_in_no_event(api: Api) -> None:
    mei = await registered(api, category="junior")
    path = f"/v1/patrons/{mei['id']}"
    answer = await api.patch(path, {"born_on": "2003-02-28"}, as_=STAFF)
    assert answer.json()["born_on"] == "2003-02-28"
    assert await birthdays(api, BIRTHDAY) == 1
    assert "2003-02-28" not in str(await events(api))


@pytest.mark.parametrize("born_on", ["1899-12-31", "2999-01-01", "28.2.2003", "2003-02-30"])
async def test_an_impossible_date_of_birth_is_refused(api: Api, born_on: str) -> None:
    mei = await registered(api)
    answer = await api.patch(f"/v1/patrons/{mei['id']}", {"born_on": born_on}, as_=STAFF)
    assert (answer.status, answer.json()["code"]) == (422, "malformed")
