"""Titles of the catalogue from MARC 21 records, and back.

Titles are checked with the model of the API's requests: an import accepts what the API accepts.
"""

from collections.abc import AsyncIterator, Iterable, Sequence

from pymarc import Record

from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.formats.marc import Described, Fault, read, to_bytes
from services.circulation.catalogue.formats.marc_written import written
from services.circulation.catalogue.routes.titles import TitleIn
from services.circulation.copies.commands import (
    Imported,
    ImportedTitle,
    ImportTitles,
    import_titles,
)
from shared.clock import library_day
from shared.mongo import Database, SnapshotQuery, plain
from shared.unit_of_work import Origin, UnitOfWork

Batch = dict[int, ImportedTitle]
"""Titles by the number of their record."""


async def save(unit: UnitOfWork, titles: Iterable[ImportedTitle], origin: Origin) -> list[Imported]:
    """Save these titles in one transaction; return the result of each."""
    command = ImportTitles(tuple(titles), library_day(origin.now, unit.settings.zone))
    results, _ = await unit.run(import_titles, command, origin, within=60)
    return results or []


def title_of(record: Record) -> tuple[ImportedTitle, Sequence[Fault]]:
    """Return the title in a record, and the parts of the record that can't be read.

    Raises ValueError, pydantic's for a field that the API refuses.
    """
    found = read(record)
    described = TitleIn.model_validate(_as_body(found))
    return ImportedTitle(
        control_number=found.control_number,
        title=described.title,
        authors=described.authors,
        isbn=described.isbn,
        kind=described.kind,
        copies=tuple(copy.new() for copy in described.copies),
        record=described.record.new(),
        marc=to_bytes(record),
    ), found.faults


def _as_body(found: Described) -> dict[str, object]:
    return {
        "title": found.title,
        "authors": found.authors,
        "isbn": found.isbn,
        "kind": found.kind,
        "record": {name: value for name, value in plain(found.record).items() if value},
        "copies": [
            {name: value for name, value in plain(item).items() if value is not None}
            for item in found.items
        ],
    }


async def exported(database: Database) -> AsyncIterator[Record]:
    """Yield all titles with their copies as records, in the order of cataloguing."""
    after: str | None = ""
    while after is not None:
        titles, after = await catalogue_store.find_page(database, SnapshotQuery(after=after))
        ids = [title.id for title in titles]
        copies = await catalogue_store.find_copies(database, ids)
        kept = await catalogue_store.find_marc(database, ids)
        for title in titles:
            yield written(title, copies[title.id], kept.get(title.id))
