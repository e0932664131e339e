"""Indexes are made as declared, and documents keep the names of their fields."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import ASCENDING, IndexModel
from pymongo.errors import OperationFailure

from shared.indexes import chassis_indexes
from shared.mongo import (
    Database,
    ensure_indexes,
    from_document,
    store_fields_as,
    to_document,
)
from shared.unit_of_work import UnitOfWork


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
