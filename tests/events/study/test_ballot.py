"""The ballot: anyone can recompute it, and a changed list or seed is found."""

import random

import pytest

from services.events.seasons.rules.ballot import Entry, Room, commitment, draw, list_hash
from tests.events.programme import events
from tests.events.study.recompute import recomputed
from tests.events.study.season import (
    AFTER,
    DRAW,
    Members,
    announced,
    apply,
    ballot,
    closed,
    drawn,
    finished,
    own,
    staff,
    withdraw,
)
from tests.events.test_registrations import erase
from tests.support import Api


async def test_the_published_data_give_the_same_result_to_anyone(
    api: Api, members: Members
) -> None:
    season = (await announced(api))["id"]
    for number in range(12):
        members.categories[f"p{number}"] = "young-adult" if number % 3 == 0 else "adult"
        await apply(api, season, f"p{number}", "STPL" if number % 4 == 0 else "HKCL")
    published = await drawn(api, season)
    results = {one["branch"]: (one["granted"], one["standby"]) for one in published["results"]}
    assert recomputed(published) == results
    assert [len(granted) for granted, _ in results.values()] == [4, 2]
    for number in range(12):
        application = await own(api, season, f"p{number}")
        granted, standby = results[application["branch"]]
        if application["state"] == "granted":
            assert application["id"] in granted
        else:
            assert standby.index(application["id"]) + 1 == application["standby_number"]


@pytest.mark.parametrize("seed", range(20))
def test_an_independent_computation_agrees_on_random_lists(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    categories = ["adult", "young-adult", "senior"]
    entries = [
        Entry(f"id-{number}", chance.choice(categories), chance.choice(["A", "B"]))
        for number in range(chance.randint(0, 60))
    ]
    rooms = [
        Room("A", chance.randint(20, 30), {"young-adult": chance.randint(1, 15), "senior": 5}),
        Room("B", chance.randint(1, 40), {}),
    ]
    data = {
        "seed": f"seed {seed}",
        "commitment": commitment(f"seed {seed}"),
        "list_hash": list_hash(entries),
        "entries": [
            {"id": one.id, "category": one.category, "branch": one.branch} for one in entries
        ],
        "rooms": [
            {"branch": one.branch, "places": one.places, "quotas": one.quotas} for one in rooms
        ],
    }
    found = {
        branch: (list(one.granted), list(one.standby))
        for branch, one in draw(entries, rooms, f"seed {seed}").items()
    }
    assert recomputed(data) == found
    for room in rooms:
        here = [one for one in entries if one.branch == room.branch]
        granted, standby = found[room.branch]
        assert sorted([*granted, *standby]) == sorted(one.id for one in here)
        assert len(granted) == min(room.places, len(here))


async def test_a_changed_list_and_another_seed_are_found(api: Api) -> None:
    season = (await announced(api))["id"]
    for number in range(6):
        await apply(api, season, f"p{number}")
    published = await drawn(api, season)
    recomputed(published)
    for changed in (
        {"entries": published["entries"][:-1]},
        {"entries": [*published["entries"], published["entries"][0] | {"id": "another"}]},
        {"entries": [published["entries"][0] | {"category": "senior"}, *published["entries"][1:]]},
    ):
        with pytest.raises(ValueError, match="list was changed"):
            recomputed(published | changed)
    with pytest.raises(ValueError, match="another seed"):
        recomputed(published | {"seed": "another"})


async def test_the_list_is_published_before_the_draw_and_the_seed_only_by_it(api: Api) -> None:
    season = await announced(api)
    key = season["id"]
    await apply(api, key, "a")
    answer = await api.get(f"/v1/study-seasons/{key}/ballot")
    assert (answer.status, answer.json()["code"]) == (404, "list-not-closed")
    before = await closed(api, key)
    assert (before["seed"], before["results"]) == (None, [])
    assert [one["id"] for one in before["entries"]] == [(await own(api, key, "a"))["id"]]
    [stored] = await api.app.state.database.study_seeds.find({}).to_list(None)
    answers = [
        (await api.get(path, as_=None, at=AFTER)).body
        for path in (f"/v1/study-seasons/{key}", f"/v1/study-seasons/{key}/ballot")
    ]
    assert all(stored["seed"].encode() not in body for body in answers)
    rows = await api.app.state.database.outbox.find({}).to_list(None)
    assert all(stored["seed"].encode() not in bytes(row["body"]) for row in rows)
    assert commitment(stored["seed"]) == season["commitment"]
    answer = await staff(api, key, "draw", AFTER)
    assert (answer.status, answer.json()["code"]) == (409, "too-early-to-draw")
    assert (await staff(api, key, "draw", DRAW)).status == 200
    after = await ballot(api, key)
    assert (after["seed"], after["list_hash"]) == (stored["seed"], before["list_hash"])


async def test_the_draw_of_many_is_continued_by_the_job_and_published_once(api: Api) -> None:
    season = (await announced(api))["id"]
    for number in range(60):
        assert (await apply(api, season, f"p{number}")).status == 201
    await closed(api, season)
    assert (await staff(api, season, "draw", DRAW)).status == 200
    assert (await staff(api, season, "draw", DRAW)).json()["code"] == "drawn-already"
    await finished(api)
    await finished(api)
    [drawn_event] = await events(api, "admission.drawn")
    assert (drawn_event["granted"], drawn_event["standby"]) == (4, 56)
    told = [*await events(api, "admission.granted"), *await events(api, "admission.standby")]
    assert len({one["application_id"] for one in told}) == len(told) == 60


async def test_a_card_that_is_given_back_goes_to_the_first_on_the_standby_list(api: Api) -> None:
    season = (await announced(api))["id"]
    for number in range(7):
        await apply(api, season, f"p{number}")
    await drawn(api, season)
    states = {f"p{number}": await own(api, season, f"p{number}") for number in range(7)}
    winner = next(key for key, one in states.items() if one["state"] == "granted")
    first, second = [
        next(key for key, one in states.items() if one["standby_number"] == n) for n in (1, 2)
    ]
    assert (await withdraw(api, season, winner)).json()["state"] == "withdrawn"
    assert (await own(api, season, first))["state"] == "granted"
    assert (await own(api, season, second))["standby_number"] == 2
    given = [one for one in await events(api, "admission.granted") if one["waited"]]
    assert [one["patron_id"] for one in given] == [first]


async def test_the_ballot_stays_the_same_when_patrons_withdraw_or_are_erased(api: Api) -> None:
    season = (await announced(api))["id"]
    for number in range(7):
        await apply(api, season, f"p{number}")
    await closed(api, season)
    await withdraw(api, season, "p0", at=AFTER)
    await erase(api, "p1")
    assert (await staff(api, season, "draw", DRAW)).status == 200
    await finished(api)
    published = await ballot(api, season)
    results = {one["branch"]: (one["granted"], one["standby"]) for one in published["results"]}
    assert recomputed(published) == results
    assert len(published["entries"]) == 7
    states = [(await own(api, season, f"p{number}"))["state"] for number in range(2, 7)]
    assert states.count("granted") == 4
    database = api.app.state.database
    for name in await database.list_collection_names():
        if name.startswith("study_"):
            about = [one async for one in database[name].find({}) if "p1" in str(one)]
            assert about == [], name
