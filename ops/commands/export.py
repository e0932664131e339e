"""`carrel export`: write the titles of the catalogue for other systems.

It reads the database: the API lists titles without the records that they were imported from.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.console import AsJson, errors, explain_outages, print_json, progress_bar, refuse
from ops.direct import unit_of_work_at
from ops.imports import marc
from ops.target import Data, settings_of
from services.circulation.catalogue.formats import marc_files
from services.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False)]
Format = Annotated[
    Literal["marc", "marcxml"], typer.Option("--format", help="ISO 2709 (marc) or MARCXML.")
]
Encoding = Annotated[
    Literal["utf8", "marc8"], typer.Option("--encoding", help="Encoding of ISO 2709.")
]


@app.callback()
def exports() -> None:
    """Write data for other systems."""


@app.command("titles")
def titles_command(
    file: FileArgument,
    form: Format = "marc",
    encoding: Encoding = "utf8",
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Write all titles with their copies into a file of MARC 21 records.

    An imported record comes out as it came in, but for what was changed here; one
    made here has the number Carrel (003) and its id (001). `carrel import titles`
    of the file, corrected, changes only what was corrected.
    Copies are its items, in 952 or 852. A record that is too long for ISO 2709 is
    left out and named, with exit code 1: MARCXML has no limit.
    """
    if form == "marcxml" and encoding != "utf8":
        refuse("MARCXML is written in UTF-8. Leave out --encoding, or write ISO 2709.")
    settings = settings_of(data)
    with explain_outages(settings):
        count, left_out = asyncio.run(_titles(settings, file, form, encoding))
    if as_json:
        print_json({"written": count, "left_out": left_out})
    else:
        errors.print(f"{count} titles are in {file}.", markup=False)
    for name, reason in left_out.items():
        errors.print(f"Left out {name}: {reason}.", markup=False)
    raise typer.Exit(1 if left_out else 0)


async def _titles(
    settings: Settings, path: Path, form: str, encoding: str
) -> tuple[int, dict[str, str]]:
    count, left_out = 0, dict[str, str]()
    async with unit_of_work_at(settings, "circulation") as unit:
        total = await unit.database.titles.estimated_document_count()
        with path.open("wb") as file, progress_bar("Writing") as bar:
            task = bar.add_task("", total=total)
            if form == "marcxml":
                file.write(marc_files.XML_BEGIN)
            async for record in marc.exported(unit.database):
                try:
                    file.write(
                        marc_files.in_xml(record)
                        if form == "marcxml"
                        else marc_files.in_iso2709(record, utf8=encoding == "utf8")
                    )
                    count += 1
                except ValueError as error:
                    left_out[record["001"].data or ""] = str(error)
                bar.advance(task)
            if form == "marcxml":
                file.write(marc_files.XML_END)
    return count, left_out
