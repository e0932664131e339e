"""The ages of those who may take part in an activity, where the library knows their ages."""

import pytest

from tests.events.programme import published
from tests.events.study.season import Members
from tests.events.test_registrations import register
from tests.support import Api

DAY = "2021-03-01T10:00:00+08:00"


@pytest.mark.parametrize(
    ("born_on", "status"),
    [
        (None, 201),
        ("2009-03-01", 201),
        ("2009-03-02", 409),
        ("2008-02-29", 201),
        ("2004-03-02", 201),
        ("2004-02-29", 201),
        ("2004-03-01", 201),
        ("2003-03-02", 201),
        ("2003-03-01", 409),
    ],
)
async def test_a_patron_of_another_age_on_the_first_day_can_not_register(
    api: Api, members: Members, born_on: str | None, status: int
) -> None:
    members.born["a"] = born_on
    club = await published(api, starts_at=DAY, places=2, minimum_age=12, maximum_age=17)
    answer = await register(api, "a", club["id"])
    assert answer.status == status, answer.body
    if status == 409:
        assert answer.json()["code"] == "outside-ages"


async def test_a_maximum_or_a_minimum_alone_counts(api: Api, members: Members) -> None:
    members.born.update(child="2015-01-01", adult="1980-01-01")
    for_adults = await published(api, starts_at=DAY, places=2, minimum_age=18)
    for_children = await published(api, starts_at=DAY, places=2, maximum_age=10)
    for activity, who in ((for_adults, ["adult"]), (for_children, ["child"])):
        answers = {name: await register(api, name, activity["id"]) for name in members.born}
        assert [name for name, one in answers.items() if one.status == 201] == who


async def test_accounts_is_asked_only_for_activities_with_ages(api: Api, members: Members) -> None:
    members.away = True
    anyone = await published(api, places=2)
    assert (await register(api, "a", anyone["id"])).status == 201
    adults = await published(api, places=2, minimum_age=18)
    assert (await register(api, "a", adults["id"])).status == 503
