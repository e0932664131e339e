"""Files of MARC records with the report of their import."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from shared.declared_indexes import Indexes
from shared.mongo import plain
from shared.repository import Repository
from shared.unit_of_work import Stale, Work

KEPT_DAYS = 7
"""Days for which a file and its report are kept."""
IMPORTS = "title_imports"

INDEXES: Indexes = {
    IMPORTS: [IndexModel([("made_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 86_400)],
}


@dataclass(frozen=True)
class Row:
    """The report of one record."""

    number: int
    """Its place in the file, from 1."""
    known_as: str
    title: str
    outcome: str
    """`added`, `changed`, `unchanged` or `refused`; before the import what it would be."""
    reason: str = ""
    changes: tuple[str, ...] = ()
    """Names of the fields that change."""
    new_copies: int = 0
    faults: tuple[tuple[str, str], ...] = ()
    """Field and reason of each part that can't be read."""


@dataclass(frozen=True)
class TitleImport:
    """A file with the report of its records, in their order."""

    id: str
    made_at: datetime
    rows: tuple[Row, ...]
    content: bytes
    """The file."""
    done: int = 0
    """Number of records that are imported, the first ones of the file."""


_IMPORTS = Repository(TitleImport, IMPORTS)
add = _IMPORTS.add
get = _IMPORTS.get
find = _IMPORTS.find


def note_rows(work: Work, before: TitleImport, rows: Sequence[Row], done: int) -> None:
    """Store the report after some more records. Raises Stale if others were done meanwhile."""
    query = {"_id": before.id, "done": before.done}
    change = {"$set": {"rows": [plain(row) for row in rows], "done": done}}
    if not work.update(IMPORTS, query, change):
        raise Stale(f"another step of the import {before.id} was faster")
