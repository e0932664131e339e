"""Reads of several use cases in one round trip find for each what its own reads would find."""

import random
from typing import Any

import pytest

from shared.mongo import BlockingDatabase, Document
from shared.reads import Read, Reads, Together
from shared.unit_of_work import UnitOfWork

BRANCHES = ("HKCL", "CWPL")
LETTERS = "abcdef"


def reads(chosen: random.Random) -> Reads:
    """Return reads as a command makes them: of a branch, a patron, copies and their loans."""
    branch = chosen.choice((*BRANCHES, "NOWHERE"))
    card: Any = chosen.choice(LETTERS)
    return Reads(
        "branches",
        {"_id": branch},
        patrons=Read("patrons", {"card": {"$in": [card, "none"]}}, limit=2),
        holds=Read("holds", {"open": True}, by=("patrons._id", "patron_id"), sort={"place": 1}),
        copies=Read("copies", {"barcode": {"$in": chosen.sample(LETTERS, 3)}}),
        loans=Read("loans", {"open": True}, by=("copies._id", "copy_id")),
        lenders=Read("branches", by=("loans.branch", "_id")),
        here=Read("copies", by=("_id", "branch")),
        settings=Read("settings"),
    )


async def fill(database: Any, chosen: random.Random) -> None:
    """Store some of each, such as two patrons with one card, and copies without a loan."""
    await database.branches.insert_many([{"_id": branch} for branch in BRANCHES])
    await database.settings.insert_one({"_id": "all"})
    some: dict[str, list[Document]] = {
        "patrons": [{"_id": n, "card": chosen.choice(LETTERS)} for n in range(8)],
        "holds": [
            {"_id": n, "patron_id": chosen.randrange(8), "place": -n, "open": n % 3 > 0}
            for n in range(20)
        ],
        "copies": [{"_id": n, "barcode": LETTERS[n], "branch": BRANCHES[n % 2]} for n in range(5)],
        "loans": [
            {"_id": n, "copy_id": n % 5, "branch": chosen.choice(BRANCHES), "open": n % 2 > 0}
            for n in range(8)
        ],
    }
    for name, documents in some.items():
        await database[name].insert_many(documents)


def in_order(part: Document | None) -> Document | None:
    """Return a part with those documents in one order of which nobody asked for an order."""
    return part and {
        name: found
        if name in ("holds", "_id")
        else sorted(found, key=lambda document: str(document["_id"]))
        for name, found in part.items()
    }


@pytest.mark.parametrize("seed", range(8))
async def test_each_gets_its_own_part(unit_of_work: UnitOfWork, seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - not a secret
    await fill(unit_of_work.database, chosen)
    store = BlockingDatabase(unit_of_work.database)
    with store.start_session() as session:
        for count in (2, 3, 16):
            asked = [reads(chosen) for _ in range(count)]
            together = Together(asked)
            found = store.first(together.collection, together.pipeline, session)
            alone = [store.first("branches", one.pipeline, session) for one in asked]
            assert [*map(in_order, together.parts(found))] == [*map(in_order, alone)]
            assert any(alone) == any(one.root.query["_id"] in BRANCHES for one in asked)


def test_reads_that_differ_otherwise_are_not_combined() -> None:
    def by(**query: Any) -> Reads:
        return Reads("copies", query)

    assert by(_id="a").shape == by(_id="b").shape != by(barcode="a").shape
    for one, other in (
        (by(_id="a", branch="HKCL"), by(_id="b", branch="CWPL")),
        (by(_id={"$gt": "a"}), by(_id={"$gt": "b"})),
    ):
        with pytest.raises(ValueError, match=r"differ|names no values"):
            Together([one, other])
    many = Read("copies", by=("_id", "branch"), limit=1)
    with pytest.raises(ValueError, match="reads its own 1"):
        Together([Reads("branches", {"_id": branch}, first=many) for branch in BRANCHES])
