"""A title with thousands of copies: commands read a few of them, however many are free."""

from collections.abc import Awaitable
from typing import Any

import pytest

from services.circulation.rules.copy import Copy
from shared.mongo import Database, to_document
from tests.circulation.desk import Desk
from tests.circulation.shelf import copy_of, hold, now, title_of
from tests.examined import examined

MANY = 10_000
FEW = 100
"""More documents and index keys than any of these commands reads."""


@pytest.fixture
async def title(desk: Desk) -> str:
    """A title with 10,000 free copies at its branches, besides one of its own."""
    [barcode] = await desk.copies(1)
    title_id = await title_of(desk, barcode)
    copies = (
        Copy(f"many-{n:05}", title_id, f"Z{n:05}", "adult", ("HKCL", "LFU")[n % 2])
        for n in range(MANY)
    )
    database: Database = desk.api.app.state.database
    await database.copies.insert_many([to_document(copy) for copy in copies])
    return title_id


async def cost(desk: Desk, done: Awaitable[Any]) -> int:
    """Return how many documents and index keys the database examines meanwhile."""
    return (await examined(done, desk.api.app.state.database))[1]


async def test_a_return_reads_few_of_ten_thousand_free_copies(desk: Desk, title: str) -> None:
    [lent] = await desk.lend("Z00000")
    assert lent["ok"]
    assert await cost(desk, desk.take_back("Z00000", on="2020-11-21")) < FEW


async def test_a_hold_reads_few_of_ten_thousand_free_copies_and_gets_the_nearest(
    desk: Desk, title: str
) -> None:
    await desk.patron("p2")
    await desk.lend("Z00002")  # a transaction that stores the policies
    assert await cost(desk, hold(desk, "p2", title, at="LFU")) < FEW
    assert await copy_of(desk, "Z00001") == ("to-fetch", "LFU", None)


async def test_a_returned_copy_goes_to_a_waiting_hold_though_thousands_are_lent(
    desk: Desk, title: str
) -> None:
    database: Database = desk.api.app.state.database
    await desk.patron("p2")
    await desk.lend("Z00000")
    await database.copies.update_many({"state": "available"}, {"$set": {"state": "on-loan"}})
    held = await hold(desk, "p2", title)
    assert held["state"] == "waiting"
    assert await cost(desk, desk.take_back("Z00000", on="2020-11-21")) < FEW
    assert (await now(desk, held))["state"] == "ready"
