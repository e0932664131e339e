"""The lease in the database: who has it, and when somebody else can take it."""

import asyncio
from datetime import timedelta

from shared.clock import wall_clock
from shared.lease import give_up_lease, hold_lease
from shared.mongo import Database
from shared.unit_of_work import UnitOfWork

NAME = "relay"


async def expire(database: Database) -> None:
    """Let the lease end a minute ago."""
    ended = wall_clock() - timedelta(minutes=1)
    await database.leases.update_one({"_id": NAME}, {"$set": {"until": ended}})


async def test_one_of_many_who_want_a_lease_at_once_gets_it(unit_of_work: UnitOfWork) -> None:
    database = unit_of_work.database
    tries = (hold_lease(database, NAME, f"replica-{n}", 60) for n in range(20))
    assert sum(await asyncio.gather(*tries)) == 1
    await expire(database)
    again = (hold_lease(database, NAME, f"replica-{n}", 60) for n in range(20))
    assert sum(await asyncio.gather(*again)) == 1


async def test_the_holder_renews_a_lease_that_others_are_refused(unit_of_work: UnitOfWork) -> None:
    database = unit_of_work.database
    assert await hold_lease(database, NAME, "first", 60)
    before = await database.leases.find_one({"_id": NAME})
    assert not await hold_lease(database, NAME, "second", 600)
    assert await database.leases.find_one({"_id": NAME}) == before
    assert await hold_lease(database, NAME, "first", 600)
    renewed = await database.leases.find_one({"_id": NAME})
    assert before is not None
    assert renewed is not None
    assert renewed["until"] - before["until"] >= timedelta(seconds=540)


async def test_a_lease_that_ended_or_was_given_up_goes_to_another(unit_of_work: UnitOfWork) -> None:
    database = unit_of_work.database
    assert await hold_lease(database, NAME, "first", 60)
    await expire(database)
    assert await hold_lease(database, NAME, "second", 60)
    assert not await hold_lease(database, NAME, "first", 60)
    await give_up_lease(database, NAME, "first")
    assert not await hold_lease(database, NAME, "first", 60)
    await give_up_lease(database, NAME, "second")
    assert await hold_lease(database, NAME, "first", 60)
