"""The preferences of My Setting."""

import asyncio
import random
from typing import Any

import pytest

from tests.accounts.people import STAFF, events, registered
from tests.support import Api, token

PATH = "/v1/me/preferences"
DEFAULTS = {
    "automatic_renewal": True,
    "followed_branches": [],
    "activity_types": [],
    "language": "zh-Hant",
    "channels": ["inbox"],
    "digest": False,
    "keep_history": False,
    "reachable_by": ["email"],
    "version": 0,
}


async def changed(api: Api) -> list[dict[str, Any]]:
    return [told for topic, told in await events(api) if topic == "preferences.changed"]


async def test_by_default_a_patron_follows_nothing_and_keeps_no_history(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    assert (await api.get(PATH, as_=as_)).json() == DEFAULTS
    # Until the patron chooses a language, it is that of the registration.
    await api.patch(f"/v1/patrons/{mei['id']}", {"language": "en"}, as_=STAFF)
    assert (await api.get(PATH, as_=as_)).json() == {**DEFAULTS, "language": "en"}
    assert await changed(api) == []


async def test_a_new_language_of_the_registration_is_published_until_the_patron_chooses_one(
    api: Api,
) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    await api.insist("PATCH", PATH, {"keep_history": True}, as_=as_)
    at_desk = f"/v1/patrons/{mei['id']}"
    await api.insist("PATCH", at_desk, {"language": "en"}, as_=STAFF)
    now = (await api.insist("GET", PATH, as_=as_)).json()
    assert (now["language"], now["keep_history"], now["version"]) == ("en", True, 2)
    service = token("gateway", ["service"])
    [kept] = (await api.insist("GET", "/v1/snapshots/preferences", as_=service)).json()["items"]
    first, second = await changed(api)
    assert (first["language"], first["version"]) == ("zh-Hant", 1)
    assert second == kept == {**first, "language": "en", "version": 2}

    await api.insist("PATCH", PATH, {"language": "zh-Hans"}, as_=as_)
    for language in ("zh-Hant", "zh-Hant"):
        await api.insist("PATCH", at_desk, {"language": language}, as_=STAFF)
    assert [told["language"] for told in await changed(api)] == ["zh-Hant", "en", "zh-Hans"]
    assert (await api.insist("GET", PATH, as_=as_)).json()["language"] == "zh-Hans"


async def test_a_choice_is_stored_sorted_and_published(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    first = {"followed_branches": ["STPL", "KPL", "STPL"], "activity_types": ["talk"]}
    answer = await api.patch(PATH, first, as_=as_)
    kept = {**DEFAULTS, "followed_branches": ["KPL", "STPL"], "activity_types": ["talk"]}
    assert answer.json() == {**kept, "version": 1}
    second = {"language": "en", "channels": ["email"], "digest": True, "keep_history": True}
    second["activity_types"] = []
    answer = await api.patch(PATH, second, as_=as_)
    kept = {**kept, **second, "channels": ["email", "inbox"], "version": 2}
    assert answer.json() == kept
    assert (await api.get(PATH, as_=as_)).json() == kept
    told = await changed(api)
    assert [event["version"] for event in told] == [1, 2]
    del kept["reachable_by"]  # events carry no addresses
    assert told[1] == {**kept, "patron_id": mei["id"]}


async def test_a_choice_that_changes_nothing_is_not_published(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    nothings: list[dict[str, Any]] = [{}, {"channels": []}, {"keep_history": False}]
    for nothing in [*nothings, {"language": None}]:
        assert (await api.patch(PATH, nothing, as_=as_)).json() == DEFAULTS
    assert await changed(api) == []


async def test_concurrent_choices_are_all_stored(api: Api) -> None:
    mei = await registered(api)
    choices: list[dict[str, Any]] = [
        {"followed_branches": ["KPL"]},
        {"activity_types": ["talk"]},
        {"language": "en"},
        {"keep_history": True},
    ]
    random.shuffle(choices)
    answers = await asyncio.gather(
        *(api.patch(PATH, choice, as_=token(mei["id"])) for choice in choices)
    )
    assert {answer.status for answer in answers} == {200}
    kept = (await api.get(PATH, as_=token(mei["id"]))).json()
    assert kept["version"] == 4
    for choice in choices:
        assert choice.items() <= kept.items()
    assert [event["version"] for event in await changed(api)] == [1, 2, 3, 4]


async def test_each_patron_has_their_own_preferences(api: Api) -> None:
    mei = await registered(api)
    other = await registered(api, card_number="HK0002B")
    await api.patch(PATH, {"keep_history": True}, as_=token(mei["id"]))
    assert (await api.get(PATH, as_=token(other["id"]))).json() == DEFAULTS


@pytest.mark.parametrize(
    "choice",
    [
        {"colour": "red"},
        {"followed_branches": [f"B{place}" for place in range(101)]},
        {"followed_branches": ["K P L"]},
        {"activity_types": ["Talk"]},
        {"activity_types": ["talk"] * 51},
        {"channels": ["pigeon"]},
        {"language": "fr"},
        {"keep_history": "perhaps"},
    ],
    ids=lambda choice: str(choice)[:40],
)
async def test_a_malformed_choice_is_422(api: Api, choice: dict[str, Any]) -> None:
    mei = await registered(api)
    assert (await api.patch(PATH, choice, as_=token(mei["id"]))).status == 422
    assert (await api.get(PATH, as_=token(mei["id"]))).json() == DEFAULTS


async def test_a_channel_without_an_address_on_file_is_refused_and_nothing_is_saved(
    api: Api,
) -> None:
    mei = await registered(api, contact={"email": None, "phone": "2921 0388"})
    as_ = token(mei["id"])
    assert (await api.insist("GET", PATH, as_=as_)).json()["reachable_by"] == []
    answer = await api.insist("PATCH", PATH, {"channels": ["email"], "language": "en"}, as_=as_)
    assert (answer.status, answer.json()["code"]) == (409, "no-address")
    assert (await api.insist("GET", PATH, as_=as_)).json() == {**DEFAULTS, "reachable_by": []}
    assert await changed(api) == []


async def test_a_channel_by_which_nothing_is_sent_can_be_kept_and_not_be_added(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    answer = await api.patch(PATH, {"channels": ["sms"], "language": "en"}, as_=as_)
    assert (answer.status, answer.json()["code"]) == (409, "channel-not-in-use")
    assert (await api.get(PATH, as_=as_)).json() == DEFAULTS
    # An earlier release accepted it.
    of_mei = {"$set": {"channels": ["inbox", "sms"], "version": 1}}
    await api.app.state.database.preferences.update_one({"_id": mei["id"]}, of_mei)
    answer = await api.patch(PATH, {"channels": ["email", "sms"]}, as_=as_)
    assert (answer.status, answer.json()["channels"]) == (200, ["email", "inbox", "sms"])
    answer = await api.patch(PATH, {"channels": ["email"]}, as_=as_)
    assert (answer.status, answer.json()["channels"]) == (200, ["email", "inbox"])


async def test_my_setting_can_be_saved_after_the_address_of_a_channel_was_removed(
    api: Api,
) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    await api.insist("PATCH", PATH, {"channels": ["email"]}, as_=as_)
    await api.insist(
        "PATCH", f"/v1/patrons/{mei['id']}", {"contact": {"email": None, "phone": None}}, as_=STAFF
    )
    answer = await api.insist("PATCH", PATH, {"channels": ["email"], "language": "en"}, as_=as_)
    assert (answer.status, answer.json()["reachable_by"]) == (200, [])


async def test_only_libraries_that_exist_are_followed_and_those_of_before_may_stay(
    api: Api,
) -> None:
    mei = await registered(api)
    as_mei = token(mei["id"])
    unknown = await api.patch(
        "/v1/me/preferences", {"followed_branches": ["KPL", "NONE"]}, as_=as_mei
    )
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-branch")
    former = {"$set": {"followed_branches": ["NONE"]}}
    followed = {"followed_branches": ["KPL"]}
    assert (await api.patch("/v1/me/preferences", followed, as_=as_mei)).status == 200
    await api.app.state.database.preferences.update_one({"_id": mei["id"]}, former)
    kept = await api.patch("/v1/me/preferences", {"followed_branches": ["KPL", "NONE"]}, as_=as_mei)
    assert kept.json()["followed_branches"] == ["KPL", "NONE"]
