"""The fingerprints of the keys that stored data needs: other keys are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.data_keys import DataKey, accept, settle
from shared.mongo import Database
from tests.support import patient_client

A, B, C = (f"the {one} key of these tests" for one in ("first", "second", "third"))
VARIABLE = "CARREL_WEBHOOK_KEYS"


@pytest.fixture
async def db(mongo_url: str, database: str) -> AsyncIterator[Database]:
    client = patient_client(mongo_url)
    yield client[f"{database}_notices"]
    client.close()


async def starts(db: Database, *keys: str, renewed: bool = False) -> bool:
    """Return whether a process with these keys starts."""
    faults = await settle(db, [DataKey(VARIABLE, ",".join(keys), renewed=renewed)])
    for fault in faults:
        assert fault.startswith(f"{VARIABLE} is not the key that the data of {db.name} was made")
        assert "Set that one" in fault
        assert not any(key in fault for key in keys)
    return not faults


async def test_a_key_is_replaced_in_turns_and_another_one_is_refused(db: Database) -> None:
    assert await starts(db, A)
    assert not await starts(db, B)
    assert not await starts(db, B, C)
    for keys in ((A, B), (A,), (B, A), (B, C), (C,)):
        assert await starts(db, *keys), keys
    assert not await starts(db, A)


async def test_a_key_that_a_command_renews_is_needed_until_then(db: Database) -> None:
    assert await starts(db, A, renewed=True)
    assert await starts(db, B, A, renewed=True)
    assert not await starts(db, B, renewed=True)


async def test_a_lost_key_is_given_up_by_a_command(db: Database) -> None:
    assert await starts(db, A)
    await accept(db, DataKey(VARIABLE, B))
    assert await starts(db, B)
    assert not await starts(db, A)


async def test_replicas_that_start_at_once_with_different_keys_agree_on_one_of_them(
    db: Database,
) -> None:
    keys = [f"key {number} of these tests" for number in range(10)]
    started = await asyncio.gather(*(starts(db, key) for key in [*keys, *keys]))
    assert sum(started[:10]) == 1
    assert started[:10] == started[10:], "both replicas with one key, or none"
