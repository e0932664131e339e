"""Sessions of the study rooms: check-in at the door, lapses, and places for the standby list."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.events.seasons.commands.seats import pass_on_place
from services.events.seasons.rules.season import Season
from services.events.seasons.rules.seat import Sitting, sittings_of
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.clock import parse_instant
from shared.unit_of_work import Origin, Run, Work
from tests.events.programme import events
from tests.events.study.season import (
    STAFF,
    announced,
    apply,
    drawn,
    own,
    withdraw,
)
from tests.events.test_registrations import erase
from tests.support import Answer, Api, token

DAY = "2021-03-20"
STATION = token("station-1", ["station"])
HONG_KONG = ZoneInfo("Asia/Hong_Kong")


def at(clock: str) -> str:
    """Return a business time on a day of the season."""
    return f"{DAY}T{clock}:00+08:00"


async def enter(api: Api, season: str, code: str, clock: str) -> Answer:
    """Check in at the door, as a station that retries."""
    path = f"/v1/study-seasons/{season}/check-ins"
    return await api.insist("POST", path, {"code": code}, as_=STATION, at=at(clock))


async def job(api: Api, clock: str) -> int:
    """Run the job that passes places on; return their number."""
    path = "/v1/ops/jobs/events/standby"
    answer = await api.insist("POST", path, as_=STAFF, at=at(clock))
    assert answer.status == 200, answer.body
    return int(answer.json()["done"])


async def in_order(
    api: Api, count: int, places: int = 1, **other: Any
) -> tuple[str, list[dict[str, Any]]]:
    """Draw a season; return its id and the applications: cards first, then standby in order."""
    rooms = [{"branch": "HKCL", "places": places}]
    season = (await announced(api, rooms=rooms, **other))["id"]
    for number in range(count):
        await apply(api, season, f"p{number}")
    await drawn(api, season)
    found = [(await own(api, season, f"p{n}")) | {"patron": f"p{n}"} for n in range(count)]
    return season, sorted(found, key=lambda one: one["standby_number"] or 0)


async def test_a_card_opens_the_door_once_for_each_session(api: Api) -> None:
    season, [card] = await in_order(api, 1)
    for clock, code in (
        ("08:44", "no-session-now"),
        ("08:45", None),
        ("09:10", "checked-in-already"),
        ("13:00", "no-session-now"),
        ("13:40", None),
    ):
        answer = await enter(api, season, card["code"], clock)
        assert answer.json().get("code") == code, clock
    told = await events(api, "admission.checked-in")
    assert [one["starts_at"] for one in told] == ["2021-03-20T01:00:00Z", "2021-03-20T05:30:00Z"]


@pytest.mark.parametrize("day", ["2021-03-14", "2021-05-21"])
async def test_a_card_opens_no_door_outside_its_season(api: Api, day: str) -> None:
    season, [card] = await in_order(api, 1)
    path = f"/v1/study-seasons/{season}/check-ins"
    now = f"{day}T09:00:00+08:00"
    answer = await api.post(path, {"code": card["code"]}, as_=STATION, at=now)
    assert (answer.status, answer.json()["code"]) == (409, "no-session-now")
    answer = await api.post(path, {"code": "0" * 16}, as_=STATION, at=now)
    assert (answer.status, answer.json()["code"]) == (404, "no-such-admission")


async def test_a_place_not_taken_in_time_goes_to_the_next_on_standby(api: Api) -> None:
    season, [card, first, second] = await in_order(api, 3)
    assert (await enter(api, season, first["code"], "09:00")).json()["code"] == (
        "no-place-in-session"
    )
    assert await job(api, "09:14") == 0
    assert await job(api, "09:15") == 1
    [lapsed] = await events(api, "admission.lapsed")
    [promoted] = await events(api, "admission.promoted")
    assert (lapsed["patron_id"], promoted["patron_id"]) == (card["patron"], first["patron"])
    assert promoted["until"] == "2021-03-20T01:30:00Z"
    path = f"/v1/study-seasons/{season}/application"
    mine = await api.get(path, as_=token(first["patron"]), at=at("09:20"))
    assert mine.json()["place_until"] == promoted["until"]
    assert (await enter(api, season, card["code"], "09:20")).json()["code"] == "place-lapsed"
    assert (await enter(api, season, second["code"], "09:20")).json()["code"] == (
        "no-place-in-session"
    )
    assert (await enter(api, season, first["code"], "09:29")).json()["promoted"] is True
    assert await job(api, "09:45") == 0
    listed = await api.get(f"/v1/study-seasons/{season}/applications", as_=STAFF, at=at("10:00"))
    missed = {one["id"]: one["no_shows"] for one in listed.json()["items"]}
    assert missed == {card["id"]: 1, first["id"]: 0, second["id"]: 0}


async def test_a_promoted_patron_who_does_not_come_passes_the_place_on(api: Api) -> None:
    season, [_, first, second] = await in_order(api, 3)
    assert await job(api, "09:15") == 1
    assert await job(api, "09:30") == 1
    told = await events(api, "admission.promoted")
    assert [one["patron_id"] for one in told] == [first["patron"], second["patron"]]
    assert (await enter(api, season, first["code"], "09:31")).json()["code"] == "place-lapsed"
    assert (await enter(api, season, second["code"], "09:31")).status == 201


async def test_a_lapse_promotes_exactly_one_however_often_the_job_runs(
    api: Api, replica: Api
) -> None:
    season, applications = await in_order(api, 8, places=2)
    assert (await enter(api, season, applications[0]["code"], "09:00")).status == 201
    done = await asyncio.gather(*(job([api, replica][n % 2], "09:15") for n in range(50)))
    assert sum(done) == 1
    [lapsed] = await events(api, "admission.lapsed")
    [promoted] = await events(api, "admission.promoted")
    assert lapsed["patron_id"] == applications[1]["patron"]
    assert promoted["patron_id"] == applications[2]["patron"]


async def test_one_of_many_concurrent_patrons_gets_the_last_free_place(
    api: Api, replica: Api
) -> None:
    day = [{"opens": "09:00", "closes": "22:00"}]
    season, applications = await in_order(api, 50, sessions=day, grace_minutes=5)
    begins = datetime.fromisoformat(at("09:00"))
    for number in range(1, 51):  # nobody comes: the place passes to all on the standby list
        now = begins + timedelta(minutes=5 * number)
        assert await job(api, f"{now:%H:%M}") == 1
    answers = await asyncio.gather(
        *(
            enter([api, replica][n % 2], season, one["code"], "14:00")
            for n, one in enumerate(applications)
        )
    )
    codes = sorted(answer.json().get("code", "in") for answer in answers)
    assert codes == ["in"] + ["place-lapsed"] * 49
    assert len(await events(api, "admission.checked-in")) == 1


async def test_a_card_used_at_two_doors_at_once_opens_one(api: Api, replica: Api) -> None:
    season, [card] = await in_order(api, 1)
    answers = await asyncio.gather(
        *(enter([api, replica][n % 2], season, card["code"], "09:00") for n in range(20))
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert len(await events(api, "admission.checked-in")) == 1


async def test_the_place_of_a_patron_who_withdraws_or_is_erased_is_passed_on_at_once(
    api: Api,
) -> None:
    season, [card, first, second] = await in_order(api, 3)
    assert await job(api, "09:05") == 0  # the session is open, and all places are held
    assert (await withdraw(api, season, card["patron"], at=at("09:06"))).status == 200
    # The card goes to the first on standby, for later sessions; the place of this one too.
    assert (await enter(api, season, first["code"], "09:07")).status == 201
    await erase(api, second["patron"], at=at("09:08"))
    await erase(api, first["patron"], "e-2", at=at("09:09"))
    seats = await api.app.state.database.study_seats.find({}).to_list(None)
    assert seats == []


@pytest.mark.parametrize("ending", ["erased", "withdrawn"])
@pytest.mark.parametrize("change", ["opening", "promotion"])
async def test_no_place_is_held_for_a_patron_whose_application_ends_at_the_same_time(
    api: Api, change: str, ending: str
) -> None:
    season, [card, standby] = await in_order(api, 2)
    sitting = sittings_of(await stored(api, season), "HKCL", date.fromisoformat(DAY), HONG_KONG)[0]
    leaving = card if change == "opening" else standby
    clock = at("09:05")
    if change == "promotion":
        await job(api, "09:05")
        clock = at("09:16")
    tries = 0
    loop = asyncio.get_running_loop()

    async def end() -> None:
        if ending == "erased":
            await erase(api, leaving["patron"], at=clock)
        else:
            assert (await withdraw(api, season, leaving["patron"], at=clock)).status == 200

    def pass_on_meanwhile(work: Work, season_id: str, sitting: Sitting) -> bool:
        nonlocal tries
        tries += 1
        seats_store.sitting(work, sitting.id)  # the snapshot of this transaction's start
        if tries == 1:
            # A use case runs in a thread of its own.
            asyncio.run_coroutine_threadsafe(end(), loop).result()
        return pass_on_place(work, season_id, sitting)

    run = Run(api.app.state.unit_of_work, Origin(now=parse_instant(clock)), within=30.0)
    await run(pass_on_meanwhile, season, sitting)
    seats = await run.database.study_seats.find({}).to_list(None)
    assert leaving["patron"] not in {one["patron_id"] for one in seats}
    assert tries == 2


async def stored(api: Api, season: str) -> Season:
    """Return a season as it is stored."""
    found = await seasons_store.find_one(api.app.state.database, season)
    assert found is not None
    return found
