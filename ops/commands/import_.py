"""`carrel import`: import titles and patrons of another system; safe to repeat.

It runs its use cases on the databases: the API has no route that imports many records at once.
"""

import asyncio
import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from pydantic import ValidationError
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
from services.settings import Settings
from shared.unit_of_work import UnitOfWork

BATCH = 100
"""Records in one transaction."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


@app.callback()
def imports() -> None:
    """Import data of another system. Safe to run again: known records are only compared."""


@app.command("marc")
def marc_command(file: FileArgument, as_json: AsJson = False, data: Data = None) -> None:
    """Import titles and copies from a file of MARC 21 records (ISO 2709).

    A title is recognised by its control number (001, 003). Items are in 952 (as
    Koha exports them: $a library, $p barcode, $v price) or 852 ($b library, $p
    barcode).
    """
    settings = settings_to_write(data)
    total = marc.count(file)
    with _report(file, total) as report, explain_outages(settings):
        asyncio.run(_marc(settings, file, report))
    _print_outcome(report, as_json)


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


@dataclass
class Report:
    """The progress of an import, and its refused records."""

    progress: Progress
    task: TaskID
    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    _file: TextIO | None = None

    def note(self, outcome: str) -> None:
        """Count one more finished record."""
        self.counts[outcome] += 1
        self.progress.advance(self.task)

    def refuse(self, number: int, known_as: str, reason: str) -> None:
        """Report a refused record by its number in the file, with the reason."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(("number", "known_as", "reason"))
        csv.writer(self._file).writerow((number, known_as, reason))
        self.note("refused")

    def close(self) -> None:
        """Close the report, or delete the report of an earlier run if no record was refused."""
        if self._file is not None:
            self._file.close()
        else:
            self.path.unlink(missing_ok=True)


@contextmanager
def _report(file: Path, total: int) -> Iterator[Report]:
    path = file.with_name(f"{file.name}.refused.csv")
    with progress_bar("Importing") as bar:
        report = Report(bar, bar.add_task("", total=total), path)
        try:
            yield report
        finally:
            report.close()


def _print_outcome(report: Report, as_json: bool) -> None:
    counts = {name: report.counts[name] for name in ("added", "changed", "unchanged", "refused")}
    refused_in = str(report.path) if counts["refused"] else None
    if as_json:
        print_json({**counts, "refused_in": refused_in})
    else:
        print_table(("outcome", "records"), list(counts.items()))
        if refused_in:
            errors.print(f"The refused records and the reasons are in {refused_in}.", markup=False)
    raise typer.Exit(1 if refused_in else 0)


# ---- MARC ---------------------------------------------------------------------------------------


async def _marc(settings: Settings, file: Path, report: Report) -> None:
    async with unit_of_work_at(settings, "circulation") as unit:
        batch: marc.Batch = {}
        keys: set[str] = set()
        with file.open("rb") as records:
            for number, record in enumerate(marc.records(records), 1):
                try:
                    if isinstance(record, Exception):
                        raise ValueError(f"can't be read: {type(record).__name__} {record}")
                    title = marc.title_of(record)
                except (ValueError, IndexError, KeyError) as error:
                    report.refuse(number, _control_number(record), _in_words(error))
                    continue
                named = {title.control_number, *(f"item {copy.barcode}" for copy in title.copies)}
                if len(batch) == BATCH or named & keys:
                    await _save_titles(unit, batch, report)
                    batch, keys = {}, set()
                batch[number] = title
                keys |= named
        await _save_titles(unit, batch, report)


async def _save_titles(unit: UnitOfWork, batch: marc.Batch, report: Report) -> None:
    if not batch:
        return
    results = await marc.save(unit, batch.values(), origin_of("import titles"))
    for (number, title), result in zip(batch.items(), results, strict=True):
        if result.refused:
            report.refuse(number, title.control_number, result.refused.reason)
        else:
            report.note(result.outcome)


def _control_number(record: Any) -> str:
    if isinstance(record, Exception):
        return ""
    return " ".join(field.data.strip() for field in record.get_fields("001") if field.data)[:100]


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
                report.refuse(number, "", _in_words(error))
                continue
            if len(batch) == BATCH or patron.card_number in cards:
                await _save_patrons(unit, settings, batch, report)
                batch, cards = {}, set()
            batch[number] = patron
            cards.add(patron.card_number)
        await _save_patrons(unit, settings, batch, report)


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


def _in_words(error: Exception) -> str:
    """Describe an error without the value, which may be personal."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        )
    return str(error) or type(error).__name__
