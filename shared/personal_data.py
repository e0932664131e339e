"""Personal data: the documents that a service keeps about a patron, for the patron to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.mongo import Database, Document


@dataclass(frozen=True)
class Personal:
    """A collection that has documents about patrons, and how to find those about one."""

    collection: str
    patron: str = "patron_id"
    """Field with the patron's id, or with an id of the documents in `part_of`."""
    part_of: str = ""
    """Collection, listed before this one, to whose documents these belong."""
    leave_out: tuple[str, ...] = ()
    """Fields that are secret, or about somebody else."""
    only: Mapping[str, Any] = field(default_factory=dict)
    """Further condition for documents that the patron may read."""


async def documents_about(
    db: Database, personal: Sequence[Personal], patron_id: str
) -> dict[str, list[Document]]:
    """Return a patron's documents as stored, by collection and oldest id first, with `id`."""
    found: dict[str, list[Document]] = {}
    for one in personal:
        ids: Any = patron_id
        if one.part_of:
            ids = {"$in": [document["id"] for document in found[one.part_of]]}
        cursor = db[one.collection].find(
            {one.patron: ids, **one.only}, dict.fromkeys(one.leave_out, 0) or None
        )
        found[one.collection] = [
            {"id": document.pop("_id"), **document} async for document in cursor.sort("_id", 1)
        ]
    return found
