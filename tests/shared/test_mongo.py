"""Indexes are made as declared, and documents keep the names of their fields."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import ASCENDING, IndexModel
from pymongo.errors import BulkWriteError, ExecutionTimeout, OperationFailure

from shared.declared_indexes import ensure_indexes
from shared.indexes import chassis_indexes
from shared.mongo import EARLIEST, Database, from_document, store_fields_as, to_document
from shared.reads import Read, Reads
from shared.unit_of_work import Busy, UnitOfWork, Work
from tests.shared.things import ORIGIN


@pytest.fixture
def store(unit_of_work: UnitOfWork) -> Database:
    """A database with the chassis indexes of rows that are kept for a day."""
    return unit_of_work.database


async def kept(store: Database) -> dict[str, Any]:
    indexes = await store.outbox.index_information()
    return {name: index.get("expireAfterSeconds") for name, index in indexes.items()}


async def test_a_changed_retention_period_is_applied_to_existing_rows(store: Database) -> None:
    assert (await kept(store))["published_at_1"] == 86_400
    await store.outbox.drop_index("pending_1")
    replicas = (ensure_indexes(store, chassis_indexes(7)) for _ in range(5))
    await asyncio.gather(*replicas)
    assert await kept(store) == {"_id_": None, "pending_1": None, "published_at_1": 7 * 86_400}


async def test_an_index_with_different_options_is_not_replaced(store: Database) -> None:
    another = IndexModel([("pending", ASCENDING)], unique=True)
    with pytest.raises(OperationFailure):
        await ensure_indexes(store, {"outbox": [another]})
    assert not (await store.outbox.index_information())["pending_1"].get("unique")


@dataclass(frozen=True)
class Shelf:
    """A value with a field that is stored under another name."""

    id: str
    books: int


def test_a_field_is_stored_and_read_under_its_stored_name() -> None:
    store_fields_as(Shelf, books="volumes")
    shelf = Shelf("s1", 3)
    assert to_document(shelf) == {"_id": "s1", "volumes": 3}
    assert from_document(Shelf, {"_id": "s1", "volumes": 3}) == shelf


@dataclass(frozen=True)
class Note:
    """A value with an instant."""

    id: str
    at: datetime
    version: int = 1


async def test_a_transaction_reads_instants_as_all_else_does(unit_of_work: UnitOfWork) -> None:
    noon = datetime(2021, 2, 19, 12, tzinfo=UTC)
    too_early = datetime(1, 1, 1, tzinfo=UTC)

    def write(work: Work, notes: Sequence[Note]) -> None:
        work.add("things", *notes)

    def read(work: Work, id_: str) -> datetime:
        found = work.read(Reads("things", {"_id": id_}, same=Read("things", {"_id": id_})))
        assert found is not None
        assert found["at"] == found["same"][0]["at"]
        return from_document(Note, {name: found[name] for name in ("_id", "at", "version")}).at

    await unit_of_work.run(write, [Note("a", noon), Note("b", too_early)], ORIGIN)
    assert (await unit_of_work.run(read, "a", ORIGIN))[0] == noon
    assert (await unit_of_work.run(read, "b", ORIGIN))[0] == EARLIEST


async def test_a_write_that_finds_another_version_is_tried_again(unit_of_work: UnitOfWork) -> None:
    def write(work: Work, note: Note) -> None:
        work.add("things", note)

    def change(work: Work, note: Note) -> None:
        work.save("things", note)

    noon = datetime(2021, 2, 19, 12, tzinfo=UTC)
    await unit_of_work.run(write, Note("a", noon), ORIGIN)
    with pytest.raises((Busy, ExecutionTimeout)):
        await unit_of_work.run(change, Note("a", noon, version=7), ORIGIN, within=0.2)
    await unit_of_work.run(change, Note("a", noon, version=2), ORIGIN)
    with pytest.raises(BulkWriteError):
        await unit_of_work.run(write, Note("a", noon), ORIGIN)
