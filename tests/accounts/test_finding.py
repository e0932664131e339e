"""Staff find patrons by name, e-mail address or telephone number."""

from typing import Any

import pytest

from services.accounts.cardholders import store
from tests.accounts.people import STAFF, STATION, registered
from tests.support import Api, token


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


async def test_operators_see_the_names_behind_ids_and_the_look_is_recorded(
    api: Api, people: list[dict[str, Any]]
) -> None:
    hired = {"card_number": "S-9", "name": "Ho Ka-ming", "role": "station"}
    hired |= {"email": "station@example.org"}
    station = (await api.post("/v1/staff", hired, as_=token("a1", roles=["admin"]))).json()
    asked = {"ids": [people[0]["id"], station["id"], "carrel"]}
    for caller, status in (
        (STATION, 403),
        (token("p1"), 403),
        (token("o1", ["ops"]), 200),
        (STAFF, 200),
    ):
        answer = await api.post("/v1/account-names", asked, as_=caller)
        assert answer.status == status
        if status == 200:
            cards = {one["card_number"] for one in answer.json()["items"]}
            assert cards == ({None, people[0]["card_number"]} if caller == STAFF else {None})
    names = {one["name"]: one["role"] for one in answer.json()["items"]}
    assert names == {people[0]["name"]: "patron", "Ho Ka-ming": "station"}
    looks = api.app.state.database.audit_trail.find({"act": "POST /v1/account-names"})
    assert [look["objects"] for look in await looks.to_list(9)] == [[people[0]["id"]]] * 2


async def test_the_names_of_a_list_come_in_one_answer(
    api: Api, people: list[dict[str, Any]]
) -> None:
    ids = [one["id"] for one in people[:2]]
    answer = await api.post("/v1/account-names", {"ids": [*ids, "nobody"]}, as_=STAFF)
    named = {(one["id"], one["name"], one["card_number"]) for one in answer.json()["items"]}
    assert named == {(one["id"], one["name"], one["card_number"]) for one in people[:2]}
    too_many = {"ids": [str(number) for number in range(501)]}
    assert (await api.post("/v1/account-names", too_many, as_=STAFF)).status == 422
    trail = api.app.state.database.audit_trail
    [look] = await trail.find({"act": "POST /v1/account-names"}).to_list(9)
    assert sorted(look["objects"]) == sorted(ids)
