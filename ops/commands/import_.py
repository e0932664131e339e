"""`carrel import`: import titles and patrons of another system; safe to repeat.

It runs its use cases on the databases: the API has no route that imports many records at once.
"""

import asyncio
import csv
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import Progress, TaskID

from ops.console import (
    AsJson,
    errors,
    explain_outages,
    print_json,
    print_table,
    progress_bar,
    refuse,
)
from ops.direct import accounts_with_cards, origin_of, require_card_key, unit_of_work_at
from ops.imports import marc, patrons
from ops.target import Data, settings_to_write
from services.accounts.settings import Settings as AccountsSettings
from services.circulation.catalogue.formats import marc_files
from services.circulation.imports.formats import Entry, batches, entries, in_words
from services.settings import Settings
from shared.unit_of_work import UnitOfWork

BATCH = 100
"""Records in one transaction."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


@app.callback()
def imports() -> None:
    """Import data of another system. Safe to run again: known records are only compared."""


@app.command("titles")
def titles_command(file: FileArgument, as_json: AsJson = False, data: Data = None) -> None:
    """Import titles and copies from a file of MARC 21 records (ISO 2709 or MARCXML).

    A title is recognised by its control number (001, 003). Items are in 952 (as
    Koha exports them) or 852, with $p as the barcode. A title whose record has
    parts that can't be read is imported without them; FILE.unread.csv lists them
    by record and field. The whole record is kept: `carrel export titles` writes it.
    """
    settings = settings_to_write(data)
    total = marc_files.count(file)
    with _report(file, total) as report, explain_outages(settings):
        asyncio.run(_titles(settings, file, report))
    _print_outcome(report, as_json)
    if report.cut_off:
        errors.print(f"{file} is not whole. {marc_files.CUT_OFF}", markup=False)
    _end(report, f"{file} has no MARC records.")


@app.command("patrons")
def patrons_command(file: FileArgument, as_json: AsJson = False, data: Data = None) -> None:
    """Import patrons from a CSV file: card_number, name, category, home_branch, language.

    The first line is the heading; pin, email, phone, card_expires_on and, for a
    postal address, address_1 to address_3, locality and country are optional
    columns. A patron without a PIN gets one at the desk. A patron is recognised by
    the card; an existing PIN is never overwritten, and the expiry of a card never
    becomes earlier. The report of refused lines has their numbers and reasons,
    and no personal data.
    """
    settings = settings_to_write(data, AccountsSettings)
    require_card_key(settings)
    try:
        patrons.check_heading(file)
    except ValueError as error:
        refuse(f"{file} can't be imported: {error}. Nothing was imported.")
    total = patrons.count(file)
    with _report(file, total) as report, explain_outages(settings):
        asyncio.run(_patrons(settings, file, report))
    _print_outcome(report, as_json)
    _end(report, f"{file} has no patrons below its heading.")


class Listing:
    """A CSV file that is made with its first row, and removed if there is none."""

    def __init__(self, path: Path, *heading: str) -> None:
        self.path = path
        self.rows = 0
        self._heading = heading
        self._file: TextIO | None = None

    def add(self, *row: object) -> None:
        """Write one row."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(self._heading)
        csv.writer(self._file).writerow(row)
        self.rows += 1

    def close(self) -> None:
        """Close the file, or delete that of an earlier run if this one has no rows."""
        if self._file is not None:
            self._file.close()
        else:
            self.path.unlink(missing_ok=True)

    @property
    def name(self) -> str | None:
        """Path of the file; None if it has no rows."""
        return str(self.path) if self.rows else None


@dataclass
class Report:
    """The progress of an import, its refused records, and the parts that were not read."""

    progress: Progress
    task: TaskID
    refused: Listing
    unread: Listing
    counts: Counter[str] = field(default_factory=Counter)
    libraries: Counter[str] = field(default_factory=Counter)
    """Records by the code of a library that they name."""
    unknown_libraries: Collection[str] = ()
    """Codes of them that are not registered."""
    cut_off: bool = False
    """True if the file ends within a record."""

    def note(self, outcome: str) -> None:
        """Count one more finished record."""
        self.counts[outcome] += 1
        self.progress.advance(self.task)

    def refuse(self, number: int, known_as: str, reason: str) -> None:
        """Report a refused record by its number in the file, with the reason."""
        self.refused.add(number, known_as, reason)
        self.note("refused")


@contextmanager
def _report(file: Path, total: int) -> Iterator[Report]:
    refused = Listing(file.with_name(f"{file.name}.refused.csv"), "number", "known_as", "reason")
    unread = Listing(
        file.with_name(f"{file.name}.unread.csv"), "number", "known_as", "field", "reason"
    )
    with progress_bar("Importing") as bar, closing(refused), closing(unread):
        yield Report(bar, bar.add_task("", total=total), refused, unread)


def _print_outcome(report: Report, as_json: bool) -> None:
    counts = {name: report.counts[name] for name in ("added", "changed", "unchanged", "refused")}
    refused, unread = report.refused, report.unread
    if as_json:
        fields = {"unread": unread.rows, "unread_in": unread.name}
        print_json({**counts, "refused_in": refused.name, **fields})
    else:
        print_table(("outcome", "records"), list(counts.items()))
        if refused.name:
            errors.print(
                f"The refused records and the reasons are in {refused.name}.", markup=False
            )
        if unread.name:
            errors.print(
                f"Records were imported without {unread.rows} parts that can't be read. They are "
                f"in {unread.name}.",
                markup=False,
            )
    for code in sorted(report.unknown_libraries):
        errors.print(
            f"{report.libraries[code]} records name {code}, which is no registered library. "
            "Register it, or correct the records and import them again.",
            markup=False,
        )


def _end(report: Report, without_records: str) -> None:
    """End the command with 1 if records were refused, or the file has none."""
    if not report.counts:
        refuse(f"{without_records} Nothing was imported. Check how the file was made or fetched.")
    raise typer.Exit(1 if report.refused.rows else 0)


# ---- MARC ---------------------------------------------------------------------------------------


async def _titles(settings: Settings, file: Path, report: Report) -> None:
    async with unit_of_work_at(settings, "circulation") as unit:
        saving = asyncio.create_task(_save_titles(unit, [], report))
        for batch in batches(_read(file, report), BATCH):
            await saving
            saving = asyncio.create_task(_save_titles(unit, batch, report))
            await asyncio.sleep(0)  # it is saved while the next records are read
        await saving
        report.unknown_libraries = await marc.unknown_libraries(unit.database, report.libraries)


def _read(file: Path, report: Report) -> Iterator[Entry]:
    """Yield the records that have a title; report the others, and what can't be read."""
    for entry in entries(marc_files.records(file)):
        for fault in entry.faults:
            report.unread.add(entry.number, entry.known_as, fault.field, fault.reason)
        if entry.title:
            report.libraries.update({copy.branch for copy in entry.title.copies})
            yield entry
        else:
            report.cut_off |= entry.reason == marc_files.CUT_OFF
            report.refuse(entry.number, entry.known_as, entry.reason)


async def _save_titles(unit: UnitOfWork, batch: Sequence[Entry], report: Report) -> None:
    titles = [entry.title for entry in batch if entry.title]
    if not titles:
        return
    results = await marc.save(unit, titles, origin_of("import titles"))
    for entry, result in zip(batch, results, strict=True):
        if result.refused:
            report.refuse(entry.number, entry.known_as, result.refused.reason)
        else:
            report.note(result.outcome)


# ---- patrons ------------------------------------------------------------------------------------


async def _patrons(settings: AccountsSettings, file: Path, report: Report) -> None:
    async with accounts_with_cards(settings) as unit:
        batch: patrons.Batch = {}
        cards: set[str] = set()
        for number, row in patrons.rows(file):
            try:
                if row is None:
                    raise ValueError("does not have the fields of the heading")
                patron = patrons.patron_of(row)
            except ValueError as error:
                report.refuse(number, "", in_words(error))
                continue
            if len(batch) == BATCH or patron.card_number in cards:
                await _save_patrons(unit, settings, batch, report)
                batch, cards = {}, set()
            batch[number] = patron
            cards.add(patron.card_number)
            report.libraries[patron.home_branch] += 1
        await _save_patrons(unit, settings, batch, report)
        report.unknown_libraries = await patrons.unknown_libraries(unit.database, report.libraries)


async def _save_patrons(
    unit: UnitOfWork, settings: AccountsSettings, batch: patrons.Batch, report: Report
) -> None:
    if not batch:
        return
    outcomes = await patrons.save(
        unit, list(batch.values()), settings.card_key, origin_of("import patrons")
    )
    for number, outcome in zip(batch, outcomes, strict=True):
        if outcome == "taken":
            report.refuse(number, "", "The card is one of staff, a station or an operator.")
        else:
            report.note(outcome)
