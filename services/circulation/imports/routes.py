"""Routes of files of MARC records: preview, import, report."""

import asyncio
import time
from io import BytesIO
from typing import Annotated

import fastapi
from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue.formats.marc_files import records_in
from services.circulation.fields import Id, day_of
from services.circulation.imports import store
from services.circulation.imports.commands import (
    ImportTitles,
    import_next,
    preview_titles,
    row_of,
)
from services.circulation.imports.formats import Entry, batches, entries
from services.circulation.imports.refusals import NoRecords, NoSuchImport, TooManyRecords
from services.circulation.imports.store import Row, TitleImport
from services.circulation.refusals import NoSuchBranch
from services.settings import MOST_ATTACHMENT_BYTES
from shared.auth import Staff
from shared.clock import wall_clock
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db, Run
from shared.http.problems import TOO_LARGE
from shared.ids import new_id
from shared.mongo import Database
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1")

MOST_RECORDS = 500
"""Most records of a file; `carrel import titles` takes any number."""
BATCH = 100
"""Records in one transaction."""
STEP_SECONDS = 0.7
"""Time after which no further transaction of a step begins: a caller waits for two seconds."""

Content = Annotated[
    bytes,
    fastapi.Body(
        media_type="application/octet-stream",
        max_length=MOST_ATTACHMENT_BYTES,
        description="MARC 21 records: ISO 2709 in UTF-8 or MARC-8, or MARCXML.",
        examples=['<collection xmlns="http://www.loc.gov/MARC21/slim"></collection>'],
    ),
]


class UnreadPart(BaseModel):
    """A part of a record that can't be read; the record is imported without it."""

    field: str = Field(description="Tag and subfield, such as `020 $a`.")
    reason: str


class RecordReport(BaseModel):
    """The report of one record."""

    number: int = Field(description="Its place in the file, from 1.")
    known_as: str = Field(description="Its control number.")
    title: str
    outcome: str = Field(description="`added`, `changed`, `unchanged` or `refused`.")
    reason: str
    changes: list[str] = Field(description="Names of the fields that change.")
    new_copies: int
    unread: list[UnreadPart]

    @classmethod
    def of(cls, row: Row) -> "RecordReport":
        """Build the response from a row."""
        unread = [UnreadPart(field=field, reason=reason) for field, reason in row.faults]
        return from_attributes(cls, row, unread=unread)


class ImportOut(BaseModel):
    """A file of records: what its import would do, and what it has done so far."""

    import_id: str
    records: int
    done: int = Field(description="Records that are imported, the first ones of the file.")
    items: list[RecordReport]

    @classmethod
    def of(cls, found: TitleImport) -> "ImportOut":
        """Build the response from an import."""
        items = [RecordReport.of(row) for row in found.rows]
        return cls(import_id=found.id, records=len(items), done=found.done, items=items)


@router.post("/title-imports", status_code=201)
@refuses(NoRecords, TooManyRecords, TOO_LARGE)
async def post_import(_caller: Staff, run: Run, content: Content) -> ImportOut:
    """Preview the import of a file of MARC records, and keep it for seven days.

    Titles are recognised by their control number, copies by their barcode, as by
    `carrel import titles`. Nothing is in the catalogue yet.
    """
    found = await _read(run.database, content)
    rows = []
    for batch in batches(found, MOST_RECORDS):
        titles = tuple(entry.title for entry in batch if entry.title)
        command = ImportTitles(titles, day_of(None, run))
        outcomes, _ = await run.try_out(preview_titles, command)
        results = iter(outcomes)
        rows += [row_of(entry, next(results) if entry.title else None) for entry in batch]
    new = TitleImport(new_id(), wall_clock(), tuple(rows), content)
    await run(store.add, new)
    return ImportOut.of(new)


@router.get("/title-imports/{import_id}")
@refuses(NoSuchImport)
async def get_import(import_id: Id, _caller: Staff, db: Db) -> ImportOut:
    """Get the report of a file."""
    return ImportOut.of(or_refuse(await store.find(db, import_id), NoSuchImport))


@router.post("/title-imports/{import_id}/run")
@refuses(NoSuchImport)
async def post_run(import_id: Id, _caller: Staff, run: Run) -> ImportOut:
    """Import the next records of a file; send it again until all are `done`.

    A record that was imported before changes nothing.
    """
    began = time.monotonic()
    present = or_refuse(await store.find(run.database, import_id), NoSuchImport)
    # Each batch is a step of its own, which finds by `done` what is left: no key is needed.
    steps, left = run.in_steps(), (await _read(run.database, present.content))[present.done :]
    for batch in batches(left, BATCH):
        on = day_of(None, run)
        present = await steps(import_next, import_id, batch[0].number - 1, batch, on)
        if time.monotonic() - began > STEP_SECONDS:
            break
    return ImportOut.of(present)


async def _read(db: Database, content: bytes) -> list[Entry]:
    """Return the records of a file; other requests go on meanwhile.

    One with an item of a library that is not known is refused. Raises NoRecords, TooManyRecords.
    """
    found: list[Entry] = []
    for entry in entries(records_in(BytesIO(content))):
        found.append(entry)
        if len(found) > MOST_RECORDS:
            raise TooManyRecords(most=MOST_RECORDS)
        await asyncio.sleep(0)
    if not found:
        raise NoRecords
    codes = {copy.branch for entry in found if entry.title for copy in entry.title.copies}
    unknown = codes - (await calendars_store.find(db, codes)).keys()
    return [_of_known_branches(entry, unknown) for entry in found]


def _of_known_branches(entry: Entry, unknown: set[str]) -> Entry:
    named = {copy.branch for copy in entry.title.copies} if entry.title else set()
    if not named & unknown:
        return entry
    reason = NoSuchBranch(branch=min(named & unknown)).reason
    return Entry(entry.number, entry.known_as, None, reason, entry.faults)
