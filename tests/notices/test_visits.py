"""Visits over HTTP: counting at doors, check-in and check-out, the queue, and their destruction."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.infrastructure import ports
from ops.infrastructure.child import start_all, stop_all
from ops.infrastructure.embedded import mongo_url_of, mongod_children
from services.notices import sealing
from services.notices.app import create_app
from services.notices.settings import Settings
from services.notices.visits import store as visits_store
from services.notices.visits.rules import KEPT_DAYS
from shared.clock import wall_clock
from tests.notices import library
from tests.support import Answer, Api, served, token, until

STATION = token("station-1", ["station"])
MARCH_8 = "2021-03-08T10:20:00+08:00"  # a Monday
MARCH_8_NIGHT = "2021-03-08T20:00:00+08:00"
MARCH_9 = "2021-03-09T10:00:00+08:00"
MASTER = "the master key of these tests"
VISITOR = {"name": "Quarrington Zhu", "phone": "+852 6148 2093"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"visit_keys": MASTER})


async def limited(api: Api, capacity: int, code: str = "HKCL") -> str:
    """Register the branches, reopen one with this capacity, and return its venue code."""
    await library.register(api)
    closure = (
        await library.close(api, library.DECEMBER_9, **{"from": "2020-12-10"}, branches=[code])
    ).json()
    terms = {"branches": [code], "reopened_on": "2021-02-19", "capacity": capacity}
    answer = await library.reopening(api, closure["id"], "2021-02-17T16:00:00+08:00", **terms)
    assert answer.status == 200, answer.body
    return await venue_of(api, code)


async def venue_of(api: Api, code: str = "HKCL") -> str:
    answer = await api.post(f"/v1/branches/{code}/venue", as_=library.STAFF)
    assert answer.status == 200, answer.body
    return str(answer.json()["venue"])


async def count(
    api: Api,
    entered: int = 0,
    left: int = 0,
    *,
    door: str = "A",
    at: str = MARCH_8,
    as_: str = library.STAFF,
) -> Answer:
    body = {"door": door, "entered": entered, "left": left}
    return await api.insist("POST", "/v1/branches/HKCL/counts", body, as_=as_, at=at)


async def check_in(
    api: Api, venue: str, at: str = MARCH_8, as_: str | None = None, **more: Any
) -> Answer:
    path = "/v1/me/visits" if as_ else "/v1/visits"
    return await api.insist("POST", path, {**VISITOR, "venue": venue, **more}, as_=as_, at=at)


async def check_out(api: Api, visit_id: str, at: str = MARCH_8) -> Answer:
    return await api.insist("POST", "/v1/visits/leavings", {"visit": visit_id}, at=at)


async def occupancy(api: Api, at: str = MARCH_8) -> dict[str, Any]:
    answer = await api.get("/v1/branches/HKCL/occupancy", at=at)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def job(api: Api, name: str, at: str) -> int:
    return await api.job(f"notices/{name}", at=at)


def code(answer: Answer) -> str:
    return str(answer.json()["code"])


async def test_people_are_counted_at_several_doors_up_to_the_capacity(api: Api) -> None:
    await limited(api, 5)
    assert (await count(api, 3, door="North")).status == 200
    assert (await count(api, 2, door="South", as_=STATION)).json()["level"] == "full"
    refused = await count(api, 1, door="North")
    assert (refused.status, code(refused), refused.json()["free"]) == (409, "branch-full", 0)
    assert (await count(api, 1, left=1, door="South")).status == 200
    now = await occupancy(api)
    assert (now["inside"], now["capacity"], now["entered"], now["level"]) == (5, 5, 6, "full")
    assert {door["name"]: (door["entered"], door["left"]) for door in now["doors"]} == {
        "North": (3, 0),
        "South": (3, 1),
    }


async def test_the_last_place_is_given_once_to_fifty_callers_at_two_replicas(
    api: Api, replica: Api
) -> None:
    venue = await limited(api, 10)
    assert (await count(api, 9)).status == 200
    answers = await asyncio.gather(
        *(
            count((api, replica)[number % 2], 1, door=f"Door {number % 5}")
            if number % 5
            else check_in((api, replica)[number % 2], venue)
            for number in range(50)
        )
    )
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] + statuses[201] == 1, statuses
    assert statuses[409] == 49
    now = await occupancy(api)
    assert (now["inside"], now["entered"]) == (10, 10)


async def test_nobody_enters_a_closed_branch_but_people_leave_it(api: Api) -> None:
    venue = await limited(api, 5)
    for at in ("2021-03-08T08:59:00+08:00", MARCH_8_NIGHT, "2021-01-04T10:00:00+08:00"):
        assert code(await count(api, 1, at=at)) == "branch-is-closed"
        assert code(await check_in(api, venue, at=at)) == "branch-is-closed"
    assert (await count(api, left=1, at=MARCH_8_NIGHT)).status == 200
    assert code(await api.post("/v1/branches/XX/counts", {"door": "A"}, as_=library.STAFF)) == (
        "no-such-branch"
    )


async def test_a_visitor_checks_in_and_out(api: Api) -> None:
    venue = await limited(api, 5)
    shown = (await api.get(f"/v1/venues/{venue}", at=MARCH_8)).json()
    assert (shown["branch"], shown["name"], shown["open"]) == (
        "HKCL",
        "Hong Kong Central Library",
        True,
    )
    entered = await check_in(api, venue)
    assert entered.status == 201
    assert VISITOR["name"] not in str(entered.body)
    assert (await occupancy(api))["inside"] == 1
    assert code(await check_out(api, "nobody's")) == "no-such-visit"
    assert (await occupancy(api))["inside"] == 1
    left = await check_out(api, entered.json()["id"])
    assert (left.status, (await occupancy(api))["inside"]) == (200, 0)


async def test_a_second_tap_on_leave_is_answered_as_the_first_and_counts_nobody(
    api: Api, replica: Api
) -> None:
    venue = await limited(api, 50)
    visit, _ = [(await check_in(api, venue)).json()["id"] for _ in range(2)]
    left = await asyncio.gather(
        *(check_out((api, replica)[number % 2], visit) for number in range(20))
    )
    assert {answer.status for answer in left} == {200}
    assert len({answer.body for answer in left}) == 1
    now = await occupancy(api)
    assert (now["inside"], now["doors"][0]["left"]) == (1, 1)


async def test_a_visit_of_yesterday_cannot_leave_today(api: Api) -> None:
    venue = await limited(api, 5)
    visit = (await check_in(api, venue)).json()["id"]
    assert (await count(api, 1, at=MARCH_9)).status == 200
    assert code(await check_out(api, visit, at=MARCH_9)) == "no-such-visit"
    assert (await occupancy(api, at=MARCH_9))["inside"] == 1


async def test_staff_and_patrons_register_visitors_too(api: Api) -> None:
    venue = await limited(api, 5)
    body = {**VISITOR, "door": "North"}
    for caller in (library.STAFF, STATION):
        answer = await api.post("/v1/branches/HKCL/visits", body, as_=caller, at=MARCH_8)
        assert answer.status == 201
    assert (await check_in(api, venue, as_=library.patron("p"))).status == 201
    assert (await occupancy(api))["inside"] == 3
    for caller, path in (
        (library.patron("p"), "/v1/branches/HKCL/visits"),
        (library.STAFF, "/v1/me/visits"),
    ):
        answer = await api.post(path, {**VISITOR, "venue": venue}, as_=caller, at=MARCH_8)
        assert answer.status == 403


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"phone": "call me"}, {"phone": "1"}, {"name": "x" * 101}]
)
async def test_details_of_a_visitor_have_limits(api: Api, wrong: dict[str, str]) -> None:
    venue = await limited(api, 5)
    answer = await check_in(api, venue, **wrong)
    assert answer.status == 422
    assert "call me" not in str(answer.body)


async def test_a_new_venue_code_replaces_the_old_one(api: Api) -> None:
    old = await limited(api, 5)
    assert (await api.get("/v1/branches/HKCL/venue", as_=library.STAFF)).json()["venue"] == old
    new = await venue_of(api)
    assert code(await check_in(api, old)) == "no-such-venue"
    assert code(await api.get(f"/v1/venues/{old}")) == "no-such-venue"
    assert (await check_in(api, new)).status == 201
    assert (await api.get("/v1/branches/STPL/venue", as_=library.STAFF)).json()["venue"] is None


async def test_without_a_master_key_visitors_are_counted_and_not_registered(
    settings: Settings,
) -> None:
    keyless = settings.model_copy(update={"visit_keys": ""})
    async with served(create_app, keyless) as api:
        venue = await limited(api, 5)
        assert code(await check_in(api, venue)) == "visits-not-kept"
        assert (await count(api, 1)).status == 200


# ---- the queue ----------------------------------------------------------------------------------


async def queue(api: Api, venue: str, at: str = MARCH_8) -> Answer:
    return await api.insist("POST", "/v1/tickets", {"venue": venue}, at=at)


async def place(api: Api, venue: str, ticket: str, at: str = MARCH_8) -> Any:
    return (await api.get(f"/v1/venues/{venue}?ticket={ticket}", at=at)).json()["position"]


async def test_the_first_in_the_queue_gets_the_place_that_becomes_free(api: Api) -> None:
    venue = await limited(api, 1)
    assert code(await queue(api, venue)) == "branch-not-full"
    await count(api, 1)
    first, second = [(await queue(api, venue)).json() for _ in range(2)]
    assert [(one["number"], one["position"]) for one in (first, second)] == [(1, 1), (2, 2)]
    await count(api, left=1)
    assert [await place(api, venue, one["id"]) for one in (first, second)] == [0, 1]
    assert code(await check_in(api, venue)) == "branch-full"
    assert code(await check_in(api, venue, ticket=second["id"])) == "branch-full"
    assert (await check_in(api, venue, ticket=first["id"])).status == 201
    assert await place(api, venue, first["id"]) is None


async def test_a_lapsed_call_calls_exactly_one(api: Api, replica: Api) -> None:
    venue = await limited(api, 1)
    await count(api, 1)
    tickets = [(await queue(api, venue)).json()["id"] for _ in range(3)]
    await count(api, left=1)
    lapsed = "2021-03-08T10:30:00+08:00"
    await asyncio.gather(*(job(one, "occupancy", lapsed) for one in (api, replica) * 5))
    stored = await api.app.state.database.occupancy.find_one({"_id": "HKCL"})
    assert [(one["id"], bool(one["called_at"])) for one in stored["queue"]] == [
        (tickets[1], True),
        (tickets[2], False),
    ]


# ---- closing time and events --------------------------------------------------------------------


async def test_after_closing_time_the_branch_is_empty(api: Api) -> None:
    venue = await limited(api, 2)
    await count(api, 2)
    await queue(api, venue)
    assert await job(api, "occupancy", "2021-03-08T19:59:00+08:00") == 1  # one waits
    assert await job(api, "occupancy", "2021-03-08T19:59:00+08:00") == 0
    assert await job(api, "occupancy", MARCH_8_NIGHT) == 1
    assert await job(api, "occupancy", MARCH_8_NIGHT) == 0
    told = (await library.events(api, "branch.occupancy"))[-1]
    assert (told["inside"], told["waiting"], told["entered"]) == (0, 0, 2)
    assert (await occupancy(api, at=MARCH_9))["entered"] == 0
    assert (await count(api, 2, at=MARCH_9)).status == 200


async def test_events_have_numbers_only_and_not_one_for_each_person(api: Api) -> None:
    await limited(api, 30)
    for second in range(10, 30):
        await count(api, 1, at=f"2021-03-08T10:20:{second}+08:00")
    told = await library.events(api, "branch.occupancy")
    assert [(one["inside"], one["level"]) for one in told] == [(1, "quiet")]
    assert await job(api, "occupancy", "2021-03-08T10:21:00+08:00") == 0
    assert await job(api, "occupancy", "2021-03-08T10:21:10+08:00") == 1
    assert await job(api, "occupancy", "2021-03-08T10:21:10+08:00") == 0
    for _ in range(10):
        await count(api, 1, at="2021-03-08T10:21:20+08:00")
    told = await library.events(api, "branch.occupancy")
    assert [(one["inside"], one["level"]) for one in told] == [
        (1, "quiet"),
        (20, "quiet"),
        (24, "busy"),
        (30, "full"),
    ]
    versions = [one["version"] for one in told]
    assert versions == sorted(set(versions))
    assert set(told[0]) == {
        *("topic", "version", "branch", "day", "at", "inside"),
        *("capacity", "level", "waiting", "entered"),
    }


# ---- what is kept, and its end ------------------------------------------------------------------


async def everything(api: Api) -> bytes:
    """Return all documents of all databases of this server, and its oplog, as text."""
    client = api.app.state.client
    found: list[str] = []
    for name in await client.list_database_names():
        for collection in await client[name].list_collection_names():
            found += [str(one) async for one in client[name][collection].find({})]
    return "\n".join(found).encode()


async def test_details_are_nowhere_in_plain(api: Api) -> None:
    venue = await limited(api, 5)
    await check_in(api, venue)
    await check_in(api, venue, as_=library.patron("patron-of-day-32"))
    await api.post(
        "/v1/branches/HKCL/visits", {**VISITOR, "door": "A"}, as_=library.STAFF, at=MARCH_8
    )
    database = api.app.state.database
    assert await database.visits.count_documents({}) == 3
    [key] = [one async for one in database.visit_keys.find({})]
    opened = sealing.unwrapped(sealing.Master([sealing.master_key(MASTER)]), key["wrapped"])
    assert opened is not None
    visit = await database.visits.find_one({})
    assert visits_store.unseal(opened, visit["sealed"]).name == VISITOR["name"]

    dump = await everything(api)
    assert b"HKCL" in dump
    for secret in (*VISITOR.values(), "Quarrington", "6148 2093", MASTER):
        assert secret.encode() not in dump
    assert opened not in dump


async def test_on_day_32_nothing_of_a_visit_is_left(api: Api) -> None:
    venue = await limited(api, 5)
    await check_in(api, venue)
    await check_in(api, venue, at=MARCH_9)
    database = api.app.state.database
    day_31 = date(2021, 3, 8) + timedelta(days=KEPT_DAYS - 1)
    assert await job(api, "purge-visits", f"{day_31}T23:59:00+08:00") == 0
    assert await database.visits.count_documents({}) == 2
    day_32 = day_31 + timedelta(days=1)
    assert await job(api, "purge-visits", f"{day_32}T00:00:00+08:00") == 2
    assert [one["_id"] async for one in database.visit_keys.find({})] == ["2021-03-09"]
    assert [one["day"] async for one in database.visits.find({})] == ["2021-03-09"]
    dump = await everything(api)
    for secret in (*VISITOR.values(), "Quarrington", "6148 2093"):
        assert secret.encode() not in dump


async def test_a_backup_cannot_be_read_without_the_master_key(api: Api) -> None:
    venue = await limited(api, 5)
    await check_in(api, venue)
    database = api.app.state.database
    backup = await database.visits.find_one({}), await database.visit_keys.find_one({})
    await job(api, "purge-visits", "2021-04-09T10:00:00+08:00")
    assert await database.visits.count_documents({}) == 0
    await database.visits.insert_one(backup[0])
    await database.visit_keys.insert_one(backup[1])
    replaced = sealing.master_of("a master key of a later month")
    assert replaced is not None
    assert sealing.unwrapped(replaced, backup[1]["wrapped"]) is None


async def test_a_master_key_is_replaced_while_visits_are_kept(api: Api, settings: Settings) -> None:
    venue = await limited(api, 5)
    await check_in(api, venue)
    both = settings.model_copy(update={"visit_keys": f"the next master key, {MASTER}"})
    async with served(create_app, both) as later:
        assert (await check_in(later, venue)).status == 201
        assert (await check_in(later, venue, at=MARCH_9)).status == 201
    keys = {one["_id"]: one["wrapped"] async for one in api.app.state.database.visit_keys.find({})}
    new = sealing.master_of("the next master key")
    assert new is not None
    assert [day for day, wrapped in keys.items() if sealing.unwrapped(new, wrapped)] == [
        "2021-03-09"
    ]


@pytest.fixture
async def expiring(settings: Settings, tmp_path: Path) -> AsyncIterator[Api]:
    """Notices on a database that looks for expired documents each second.

    The interval is set at the start: a monitor that already sleeps for its usual minute would
    hear of it only after that.
    """
    (mongod,) = mongod_children(tmp_path)
    mongod.command = [*mongod.command, "--setParameter", "ttlMonitorSleepSecs=1"]
    start_all([mongod])
    try:
        own = settings.model_copy(update={"mongo_url": mongo_url_of([mongod])})
        async with served(create_app, own) as api:
            yield api
    finally:
        stop_all([mongod])
        ports.release(mongod.port)


async def test_the_database_deletes_visits_and_keys_if_no_job_runs(expiring: Api) -> None:
    venue = await limited(expiring, 5)
    await check_in(expiring, venue)
    await check_in(expiring, venue, at=MARCH_9)
    database = expiring.app.state.database
    old = {"$set": {"recorded_at": wall_clock() - timedelta(days=KEPT_DAYS, minutes=1)}}
    await database.visits.update_one({"day": "2021-03-08"}, old)
    await database.visit_keys.update_one({"_id": "2021-03-08"}, old)

    async def gone() -> bool:
        visits = [one["day"] async for one in database.visits.find({})]
        keys = [one["_id"] async for one in database.visit_keys.find({})]
        return visits == keys == ["2021-03-09"]

    await until(gone, within=60)


async def test_erasing_a_patron_deletes_their_visits_and_no_others(api: Api) -> None:
    venue = await limited(api, 9)
    await library.hear(api, library.registered("a"), "e-1", MARCH_8)
    for at in (MARCH_8, MARCH_9):
        await check_in(api, venue, at=at, as_=library.patron("a"))
        await check_in(api, venue, at=at, as_=library.patron("b"))
        await check_in(api, venue, at=at)
    await library.hear(api, library.erased("a"), "e-2", MARCH_9)
    visits = [one async for one in api.app.state.database.visits.find({})]
    assert Counter((one["day"], one["holder"] is None) for one in visits) == {
        (day, nobody): 1 for day in ("2021-03-08", "2021-03-09") for nobody in (True, False)
    }
    assert code(await check_in(api, venue, at=MARCH_9, as_=library.patron("a"))) == "no-such-patron"


async def test_an_erasure_and_a_check_in_at_once_leave_no_visit(api: Api, replica: Api) -> None:
    venue = await limited(api, 50)
    await asyncio.gather(
        library.hear(api, library.erased("a"), "e-1", MARCH_8),
        *(check_in((api, replica)[n % 2], venue, as_=library.patron("a")) for n in range(10)),
    )
    holders = [one["holder"] async for one in api.app.state.database.visits.find({})]
    assert holders == []


async def test_a_visit_is_stamped_with_the_wall_clock(api: Api) -> None:
    venue = await limited(api, 5)
    before = datetime.now(UTC) - timedelta(seconds=1)
    await check_in(api, venue)
    for collection in ("visits", "visit_keys"):
        stored = await api.app.state.database[collection].find_one({})
        assert stored["recorded_at"] >= before
