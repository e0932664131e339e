"""Shard keys: every collection has been considered, and no unique index stands in the way."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import IndexModel

from services.accounts import app as accounts
from services.circulation import app as circulation
from services.events import app as events
from services.gateway.views.store.schema import INDEXES as VIEWS
from services.notices import app as notices
from shared.declared_indexes import Indexes, Sharded
from shared.indexes import chassis_indexes

PAGE = Path("docs/scaling.md")
DECLARED: dict[str, Indexes] = {
    "every service": chassis_indexes(7),
    "accounts": accounts.INDEXES,
    "circulation": circulation.INDEXES,
    "events": events.INDEXES,
    "notices": notices.INDEXES,
    "gateway": VIEWS,
}


def unique_fields(indexes: Sharded) -> Iterator[list[str]]:
    """Yield the fields of each unique index."""
    for index in indexes:
        assert isinstance(index, IndexModel)
        if index.document.get("unique"):
            yield list(index.document["key"])


@pytest.mark.parametrize("owner", DECLARED)
def test_each_unique_index_of_a_sharded_collection_begins_with_its_shard_key(owner: str) -> None:
    for name, indexes in DECLARED[owner].items():
        if isinstance(indexes, Sharded):
            for fields in unique_fields(indexes):
                assert fields[0] == indexes.by, f"{name}: {fields} is not unique over all shards"


@pytest.mark.parametrize("owner", DECLARED)
def test_the_page_names_each_collection_with_its_shard_key(owner: str) -> None:
    described: dict[str, str] = {}
    for line in PAGE.read_text().splitlines():
        row = re.fullmatch(r"\| (.+?) \| (.+?) \| (.+?) \|( .+ \|)?", line)
        if row and row[1] == owner:
            described |= dict.fromkeys(re.findall(r"`([\w.]+)`", row[2]), row[3])
    declared = {
        name: f"`{indexes.by}`" if isinstance(indexes, Sharded) else "whole"
        for name, indexes in DECLARED[owner].items()
    }
    assert described == declared
