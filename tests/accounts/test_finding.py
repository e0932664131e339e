"""Staff find patrons by name, e-mail address or telephone number."""

from typing import Any

import pytest

from services.accounts.cardholders import store
from tests.accounts.people import STAFF, STATION, registered
from tests.support import Api


async def found(api: Api, text: str) -> list[str]:
    answer = await api.post("/v1/patron-searches", {"text": text}, as_=STAFF)
    assert answer.status == 200, answer.body
    return [patron["name"] for patron in answer.json()["items"]]


@pytest.fixture
async def people(api: Api) -> list[dict[str, Any]]:
    named = [
        ("Chan Mei-ling", "mei@example.org", "2921 0388"),
        ("Chan Tai Man", "tai.man@example.org", "+852 9123 4567"),
        ("陳美齡", None, None),
    ]
    return [
        await registered(
            api, name=name, card_number=f"HK-{n}", contact={"email": email, "phone": phone}
        )
        for n, (name, email, phone) in enumerate(named)
    ]


@pytest.mark.usefixtures("people")
async def test_each_word_may_be_the_beginning_of_one(api: Api) -> None:
    assert await found(api, "chan") == ["Chan Mei-ling", "Chan Tai Man"]
    assert await found(api, "CHAN mei") == ["Chan Mei-ling"]
    assert await found(api, "ling chan") == ["Chan Mei-ling"]
    assert await found(api, "han") == []
    assert await found(api, "-- ") == []


@pytest.mark.usefixtures("people")
async def test_chinese_names_are_found_by_any_part_in_either_script(api: Api) -> None:
    for text in ("陳美", "美齡", "陈美龄"):
        assert await found(api, text) == ["陳美齡"]


@pytest.mark.usefixtures("people")
async def test_addresses_and_ends_of_telephone_numbers_are_found(api: Api) -> None:
    assert await found(api, "TAI.MAN@example.org") == ["Chan Tai Man"]
    for phone in ("4567", "9123 4567", "+852 9123-4567"):
        assert await found(api, phone) == ["Chan Tai Man"]
    assert await found(api, "567") == []


async def test_a_changed_name_is_found_and_the_former_one_is_not(
    api: Api, people: list[dict[str, Any]]
) -> None:
    path = f"/v1/patrons/{people[0]['id']}"
    assert (await api.patch(path, {"name": "Wong Mei-ling"}, as_=STAFF)).status == 200
    assert await found(api, "chan mei") == []
    assert await found(api, "wong") == ["Wong Mei-ling"]


@pytest.mark.usefixtures("people")
async def test_only_staff_may_search_and_a_look_at_a_patron_is_recorded(api: Api) -> None:
    answer = await api.post("/v1/patron-searches", {"text": "chan"}, as_=STATION)
    assert answer.status == 403
    await found(api, "chan")
    looks = api.app.state.database.audit_trail.find({"act": "POST /v1/patron-searches"})
    assert [len(look["objects"]) for look in await looks.to_list(9)] == [2]


@pytest.mark.usefixtures("people")
async def test_patrons_of_an_earlier_release_are_found(api: Api) -> None:
    db = api.app.state.database
    await db.cardholders.update_many({}, {"$unset": {"terms": ""}})
    assert await found(api, "chan") == []
    assert (await store.add_terms(db), await store.add_terms(db)) == (3, 0)
    assert len(await found(api, "chan")) == 2
