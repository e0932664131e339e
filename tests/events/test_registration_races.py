"""Concurrent callers: each place is given once and in turn, and no registration is lost."""

import asyncio
import random
from typing import Any

import pytest

from services.events.activities.rules import RegistrationState
from tests.events.programme import ANNOUNCED, published
from tests.events.test_registrations import erase
from tests.support import Answer, Api, token


async def call(door: Api, method: str, patron: str, activity: str) -> Answer:
    """Send a call as a client that retries; fail on any status of 500 or more."""
    path = f"/v1/activities/{activity}/registration"
    answer = await door.insist(method, path, as_=token(patron), at=ANNOUNCED)
    assert answer.status < 500, answer.json()
    return answer


async def faults(api: Api, activity: str) -> list[str]:
    """Return the broken invariants of an activity's places and registrations."""
    database = api.app.state.database
    [counted] = await database.places.find({"_id": activity}).to_list(None)
    found: list[dict[str, Any]] = (
        await database.registrations.find({"activity_id": activity}).sort("turn", 1).to_list(None)
    )
    states = [one["state"] for one in found]
    confirmed = states.count(RegistrationState.CONFIRMED.value)
    waiting = states.count(RegistrationState.WAITLISTED.value)
    free = counted["places"] - confirmed
    wrong = {
        f"{confirmed} have one of {counted['places']} places": free < 0,
        f"{free} places are free while {waiting} wait": free > 0 and waiting > 0,
        f"places are given out of turn: {states}": states != sorted(states),
        f"counted as {counted}": (counted["taken"], counted["waiting"]) != (confirmed, waiting),
        "a patron is there twice": len({one["patron_id"] for one in found}) < len(found),
    }
    return [fault for fault, is_so in wrong.items() if is_so]


async def test_one_of_fifty_concurrent_registrations_gets_the_last_place(
    api: Api, replica: Api
) -> None:
    talk = await published(api, places=1)
    doors = [api, replica]
    answers = await asyncio.gather(
        *(call(doors[n % 2], "POST", f"p{n}", talk["id"]) for n in range(50))
    )
    assert sorted(answer.status for answer in answers) == [201] + [202] * 49
    waiting = sorted(answer.json()["position"] or 0 for answer in answers)
    assert waiting == list(range(50))
    turns = {answer.json()["turn"]: answer.json()["position"] or 0 for answer in answers}
    assert turns == {place + 1: place for place in range(50)}
    assert await faults(api, talk["id"]) == []


async def test_twenty_concurrent_registrations_of_a_patron_create_one(
    api: Api, replica: Api
) -> None:
    talk = await published(api, places=5)
    answers = await asyncio.gather(
        *(call([api, replica][n % 2], "POST", "p", talk["id"]) for n in range(20))
    )
    codes = [answer.json().get("code", "ok") for answer in answers]
    assert sorted(codes) == ["already-registered"] * 19 + ["ok"]
    assert await faults(api, talk["id"]) == []


@pytest.mark.parametrize("seed", range(4))
async def test_concurrent_registrations_and_withdrawals_lose_no_patron_and_leave_no_place_free(
    api: Api, replica: Api, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    talk = await published(api, places=chance.randint(1, 4))
    patrons = [f"p{number}" for number in range(12)]
    there: set[str] = set()
    for _ in range(4):
        leave = {patron for patron in there if chance.random() < 0.5}
        come = {patron for patron in patrons if patron not in there and chance.random() < 0.7}
        calls = [("DELETE", patron) for patron in leave] + [("POST", patron) for patron in come]
        chance.shuffle(calls)
        answers = await asyncio.gather(
            *(
                call([api, replica][n % 2], method, patron, talk["id"])
                for n, (method, patron) in enumerate(calls)
            )
        )
        assert {answer.status for answer in answers} <= {200, 201, 202}
        there = (there - leave) | come
        registrations = api.app.state.database.registrations
        found = await registrations.distinct("patron_id", {"activity_id": talk["id"]})
        assert set(found) == there
        assert await faults(api, talk["id"]) == []


async def test_a_registration_during_an_erasure_is_removed_too(api: Api, replica: Api) -> None:
    talks = [await published(api, places=1, title=str(n)) for n in range(8)]
    for number in range(8):
        patron = f"p{number}"
        await asyncio.gather(
            erase(replica, patron, f"e-{number}"),
            *(
                call([api, replica][n % 2], "POST", patron, talk["id"])
                for n, talk in enumerate(talks)
            ),
        )
    assert await api.app.state.database.registrations.count_documents({}) == 0
    for talk in talks:
        assert await faults(api, talk["id"]) == []
