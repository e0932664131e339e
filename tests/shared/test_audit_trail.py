"""The audit trail: entries in the transaction of their change, and seals that find losses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.audit_seals import Verified, keep_sealed, purge, seal, verify
from shared.audit_trail import Act, EntryQuery, find_entries, record
from shared.clock import wall_clock
from shared.mongo import Database
from shared.supervision import Commits
from shared.unit_of_work import Run, UnitOfWork
from tests.shared.things import ORIGIN, Raise, raise_and_fail, raise_count
from tests.support import until

KEY = "the key of these seals"


def act(number: int = 0) -> Act:
    return Act(by=f"staff-{number % 3}", roles=["staff"], act="POST /v1/things", objects=["a"])


@pytest.fixture
async def store(unit_of_work: UnitOfWork) -> AsyncIterator[Database]:
    return unit_of_work.database


async def entries(store: Database, **query: Any) -> list[dict[str, Any]]:
    return [one async for one in store.audit_trail.find(query).sort("_id", 1)]


async def sealed(store: Database, *sizes: int) -> list[str]:
    """Record entries, sealed in groups of these sizes; return their ids in order."""
    for size in sizes:
        for number in range(size):
            await record(store, act(number))
        assert await seal(store, KEY) == size
    return [one["_id"] for one in await entries(store)]


async def faults(store: Database, **more: Any) -> list[str]:
    return (await verify(store, KEY, **more)).faults


async def test_an_entry_is_stored_with_its_change(unit_of_work: UnitOfWork) -> None:
    acting = replace(ORIGIN, act=act())
    await unit_of_work.run(raise_count, Raise("thing-1"), acting)

    [entry] = await find_entries(unit_of_work.database, EntryQuery(about="thing-1"))
    assert (entry.by, entry.roles, entry.act) == ("staff-0", ["staff"], "POST /v1/things")
    assert entry.objects == ["a", "thing-1"]
    assert acting.act
    assert acting.act.recorded


async def test_a_failed_use_case_leaves_no_entry(unit_of_work: UnitOfWork) -> None:
    acting = replace(ORIGIN, act=act())
    with pytest.raises(RuntimeError):
        await unit_of_work.run(raise_and_fail, Raise("a"), acting)
    assert await entries(unit_of_work.database) == []
    assert acting.act
    assert not acting.act.recorded


async def test_a_retried_use_case_leaves_one_entry_for_each_act(unit_of_work: UnitOfWork) -> None:
    """Fifty writers of one value conflict; the entries themselves never do."""
    acts = [act(number) for number in range(50)]
    await asyncio.gather(
        *(
            unit_of_work.run(raise_count, Raise("a"), replace(ORIGIN, act=one), within=60)
            for one in acts
        )
    )
    assert {one["_id"] for one in await entries(unit_of_work.database)} == {one.id for one in acts}
    assert len(await entries(unit_of_work.database)) == 50


async def test_an_act_of_many_transactions_has_one_entry(unit_of_work: UnitOfWork) -> None:
    run = Run(unit_of_work, replace(ORIGIN, act=act()))
    for name in "xyz":
        await run.in_steps()(raise_count, Raise(name))
    [entry] = await entries(unit_of_work.database)
    assert entry["objects"] == ["a", "x"]


async def test_a_whole_trail_has_no_faults(store: Database) -> None:
    await sealed(store, 3, 1, 4)
    await record(store, act())
    found = await verify(store, KEY)
    [last] = [one async for one in store.audit_seals.find({"_id": 3})]
    assert found == Verified(
        seals=3, entries=8, first=1, last=3, hash=last["hash"], waiting=1, faults=[]
    )
    assert await faults(store, newest=2) == []


async def test_a_removed_entry_is_found(store: Database) -> None:
    ids = await sealed(store, 3, 3)
    await store.audit_trail.delete_one({"_id": ids[1]})
    assert await faults(store) == [f"entry {ids[1]} of seal 1 is missing"]


@pytest.mark.parametrize(
    "change",
    [
        {"by": "somebody-else"},
        {"objects": []},
        {"act": "GET /v1/things"},
        {"at": wall_clock() - timedelta(days=1)},
        {"address": "198.51.100.0/24"},
        {"roles": ["ops"]},
        {"correlation_id": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_an_altered_entry_is_found(store: Database, change: dict[str, Any]) -> None:
    ids = await sealed(store, 2)
    await store.audit_trail.update_one({"_id": ids[0]}, {"$set": change})
    assert await faults(store) == [f"entry {ids[0]} of seal 1 was altered"]


async def test_an_entry_that_is_taken_out_of_its_seal_is_found(store: Database) -> None:
    ids = await sealed(store, 2, 1)
    await store.audit_trail.update_one({"_id": ids[0]}, {"$set": {"seal": 2}})
    assert await faults(store) == [
        f"entry {ids[0]} of seal 1 is missing",
        f"entry {ids[0]} is not listed in its seal 2",
    ]


async def test_a_removed_seal_is_found_with_or_without_its_entries(store: Database) -> None:
    await sealed(store, 1, 2, 1)
    await store.audit_seals.delete_one({"_id": 2})
    assert await faults(store) == ["seal 2 is missing"]
    await store.audit_trail.delete_many({"seal": 2})
    assert await faults(store) == ["seal 2 is missing"]


async def test_a_removed_last_seal_is_found_by_its_entries(store: Database) -> None:
    ids = await sealed(store, 2, 1)
    await store.audit_seals.delete_one({"_id": 2})
    assert await faults(store) == [f"seal 2 of entry {ids[2]} is missing"]


async def test_a_seal_cannot_be_made_again_without_the_key(store: Database) -> None:
    ids = await sealed(store, 2, 1)
    await store.audit_trail.delete_one({"_id": ids[0]})
    [first] = [one async for one in store.audit_seals.find({"_id": 1})]
    kept = [one for one in first["entries"] if one["id"] != ids[0]]
    await store.audit_seals.update_one({"_id": 1}, {"$set": {"entries": kept}})
    assert await faults(store) == ["seal 1 was altered"]
    await store.audit_seals.update_one({"_id": 1}, {"$unset": {"key": ""}})  # of an earlier release
    assert (await verify(store, "another key of seals")).faults == [
        "seal 1 was altered, or made with another key",
        f"entry {ids[1]} of seal 1 was altered",
        "seal 2 was made with a key that CARREL_AUDIT_KEYS lacks",
    ]


async def test_replicas_that_seal_at_once_make_one_chain(store: Database) -> None:
    for number in range(40):
        await record(store, act(number))
        await asyncio.gather(*(seal(store, KEY) for _ in range(4)))
    while await seal(store, KEY):
        pass
    found = await verify(store, KEY)
    assert (found.faults, found.entries, found.waiting) == ([], 40, 0)


async def test_entries_are_recorded_while_others_are_sealed(store: Database) -> None:
    async def recorded() -> None:
        for number in range(25):
            await record(store, act(number))

    async def seals() -> None:
        while (await verify(store, KEY)).entries < 100:
            await seal(store, KEY)

    await asyncio.gather(*(recorded() for _ in range(4)), seals(), seals())
    assert await faults(store) == []


async def test_a_trail_can_be_verified_after_its_oldest_entries_were_purged(
    store: Database,
) -> None:
    await sealed(store, 2, 3, 1)
    old = wall_clock() - timedelta(days=500)
    await _date_seals(store, {1: old, 2: old})
    assert await purge(store, KEY, wall_clock() - timedelta(days=400)) == 5
    assert await faults(store) == []
    assert [one["seal"] for one in await entries(store)] == [3]
    assert await purge(store, KEY, wall_clock() - timedelta(days=400)) == 0

    await store.audit_seals.delete_one({"_id": 3})
    await store.audit_trail.delete_many({"seal": 3})
    assert await faults(store) == ["seal 3 is missing"]


async def test_the_sealer_deletes_entries_after_the_days_of_the_setting(store: Database) -> None:
    await sealed(store, 2, 1)
    now = wall_clock()
    await _date_seals(store, {1: now - timedelta(days=41), 2: now - timedelta(days=39)})
    sealing = asyncio.create_task(keep_sealed(store, KEY, 40, Commits()))

    async def only_the_newer_is_left() -> bool:
        return [one["seal"] for one in await entries(store)] == [2]

    await until(only_the_newer_is_left)
    sealing.cancel()
    assert await faults(store) == []


async def test_deleting_the_oldest_entries_by_hand_is_no_purge(store: Database) -> None:
    await sealed(store, 2, 3, 1)
    await store.audit_trail.delete_many({"seal": 1})
    await store.audit_seals.delete_one({"_id": 1})
    assert await faults(store) == ["seal 1 is missing"]


async def test_a_purge_that_ended_halfway_is_no_fault_and_is_continued(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sealed(store, 2, 1)
    await _date_seals(store, {1: wall_clock() - timedelta(days=500)})

    def end(name: str) -> None:
        if name == "audit.purge-said":
            raise RuntimeError(name)

    monkeypatch.setattr("shared.audit_seals.failpoint", end)
    before = wall_clock() - timedelta(days=400)
    with pytest.raises(RuntimeError):
        await purge(store, KEY, before)
    monkeypatch.undo()
    assert len(await entries(store)) == 3
    assert await faults(store) == []
    assert await purge(store, KEY, before) == 2
    assert await faults(store) == []


async def test_entries_that_wait_long_for_a_seal_are_reported(store: Database) -> None:
    await record(store, act())
    assert await faults(store) == []
    long_ago = wall_clock() - timedelta(minutes=5)
    await store.audit_trail.update_many({}, {"$set": {"at": long_ago}})
    assert await faults(store) == ["entries wait for a seal for more than 60 s"]


async def _date_seals(store: Database, times: dict[int, Any]) -> None:
    """Give seals other times, as they would have been made then: the chain is made again."""
    from shared.audit_seals import _hash, _sealing_keys  # noqa: PLC0415 - only here

    [key] = _sealing_keys(KEY)
    previous = ""
    async for one in store.audit_seals.find().sort("_id", 1):
        dated = times.get(one["_id"], one["at"])
        one["at"] = dated.replace(microsecond=0)
        one["previous"] = previous
        one["hash"] = previous = _hash(key, one)
        await store.audit_seals.replace_one({"_id": one["_id"]}, one)
