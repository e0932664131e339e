"""The indexes of the databases, compared with their declarations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from ops.direct import indexes_of
from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Client, Database

OPTIONS = ("unique", "sparse", "partialFilterExpression")
LIFETIME = "expireAfterSeconds"
_NO_SUCH_COLLECTION = 26


@dataclass
class Differences:
    """The differences of the indexes from their declarations, as texts."""

    faults: list[str] = field(default_factory=list)
    """Missing indexes and those that are declared otherwise."""
    undeclared: list[str] = field(default_factory=list)
    """Indexes that no service declares: an earlier version or an operator created them."""


async def compare(client: Client, settings: Settings) -> Differences:
    """Compare the indexes of all services with their declarations."""
    found = Differences()
    for service in NAMES:
        database = client[f"{settings.database_prefix}_{service}"]
        if not await database.list_collection_names():
            found.faults.append(f"{database.name} is empty")
            continue
        for collection, models in indexes_of(service, settings).items():
            await _compare(found, database, collection, models)
    return found


async def _compare(
    found: Differences, database: Database, collection: str, models: Sequence[IndexModel]
) -> None:
    where = f"{database.name}.{collection}"
    try:
        present = await database[collection].index_information()
    except OperationFailure as error:
        if error.code != _NO_SUCH_COLLECTION:
            raise
        present = {}
    if not present:
        found.faults.append(f"{where} is missing")
        return
    declared: list[dict[str, Any]] = [dict(model.document) for model in models]
    for document in declared:
        index = present.get(document["name"])
        if index is None:
            found.faults.append(f"{where} lacks {document['name']}")
        elif list(index["key"]) != list(document["key"].items()) or any(
            index.get(option) != document.get(option) for option in OPTIONS
        ):
            found.faults.append(f"{where} {document['name']} differs from its declaration")
        elif index.get(LIFETIME) != document.get(LIFETIME):
            found.faults.append(f"{where} {document['name']} has another lifetime than declared")
    known = {"_id_", *(document["name"] for document in declared)}
    found.undeclared += [f"{where} {name}" for name in present if name not in known]
