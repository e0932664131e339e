"""Titles of the catalogue saved from MARC 21 records, and back."""

from collections.abc import AsyncIterator, Collection, Iterable

from pymarc import Record

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.formats.marc_written import written
from services.circulation.imports.commands import Imported, ImportTitles, import_titles
from services.circulation.imports.formats import ImportedTitle
from shared.clock import library_day
from shared.mongo import Database, SnapshotQuery
from shared.unit_of_work import Origin, UnitOfWork


async def save(unit: UnitOfWork, titles: Iterable[ImportedTitle], origin: Origin) -> list[Imported]:
    """Save these titles in one transaction; return the result of each."""
    command = ImportTitles(tuple(titles), library_day(origin.now, unit.settings.zone))
    results, _ = await unit.run(import_titles, command, origin, within=60)
    return results or []


async def unknown_libraries(database: Database, codes: Collection[str]) -> set[str]:
    """Return which of these codes are no registered library."""
    return set(codes) - (await calendars_store.find(database, codes)).keys()


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
