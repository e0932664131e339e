"""Closures recorded at once, for many branches, or again with the same key."""

import asyncio

from tests.notices.library import (
    STAFF,
    WEEK,
    assert_one_of,
    close,
    events,
    record_closure,
    register,
    reopening,
)
from tests.support import Api

DECEMBER_1 = "2020-12-01T18:00:00+08:00"
FEBRUARY_17 = "2021-02-17T16:00:00+08:00"


async def test_concurrent_closures_of_one_branch_are_recorded_once(api: Api, replica: Api) -> None:
    await register(api)
    answers = await asyncio.gather(
        *(
            close((api, replica)[at % 2], DECEMBER_1, kinds=["small"], **{"from": "2020-12-02"})
            for at in range(50)
        )
    )
    assert_one_of(answers)
    (told,) = await events(api, "branch.closed")
    assert len(told["closures"]) == 1


async def test_a_closure_of_a_whole_city_is_one_transaction(api: Api) -> None:
    for number in range(50):
        body = {"code": f"B{number:03}", "name": "B", "kind": "district", "hours": WEEK}
        assert (await api.post("/v1/branches", body, as_=STAFF)).status == 201
    closure = await record_closure(api, DECEMBER_1, kinds=["district"], **{"from": "2020-12-02"})
    opened = await reopening(api, closure["id"], FEBRUARY_17, reopened_on="2021-02-19")
    assert (opened.status, opened.json()["reopened_on"]) == (200, "2021-02-19")
    assert len(await events(api, "branch.closed")) == 50
    assert len(await events(api, "branch.reopened")) == 50


async def test_concurrent_closures_and_hours_get_distinct_versions(api: Api, replica: Api) -> None:
    await register(api, "LFU")
    await asyncio.gather(
        close(api, DECEMBER_1, branches=["LFU"], **{"from": "2020-12-02"}),
        *(
            replica.patch("/v1/branches/LFU", {"hours": WEEK}, as_=STAFF, at=DECEMBER_1)
            for _ in range(8)
        ),
    )
    told = await events(api, "branch.registered", "branch.closed", "branch.hours-changed")
    assert [event["version"] for event in told] == list(range(1, 11))
    assert len(told[-1]["closures"]) == 1


async def test_a_closure_retried_with_its_key_is_one_closure(api: Api) -> None:
    await register(api)
    body = {"kinds": ["small"], "from": "2020-12-02", "reason": "r"}
    first, again = [
        await api.post("/v1/closures", body, as_=STAFF, at=DECEMBER_1, key="k") for _ in range(2)
    ]
    assert (first.status, first.json()) == (again.status, again.json())
    assert len(await events(api, "branch.closed")) == 1
    other = await api.post("/v1/closures", {**body, "reason": "s"}, as_=STAFF, key="k")
    assert (other.status, other.json()["code"]) == (409, "idempotency-key-reused")
