"""`carrel analytics`: the events as tables, for questions about the whole library."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import ProgressColumn, Task
from rich.text import Text

from ops.analytics import refuse_without_libraries
from ops.analytics.destination import Destination, InUseError, OtherTimeZoneError, WriteError
from ops.console import (
    AsJson,
    errors,
    explain_outages,
    print_json,
    print_table,
    progress_bar,
    refuse,
)
from ops.target import Data, settings_of
from services.settings import Settings
from shared.clock import wall_clock
from shared.names import Names

app = typer.Typer(no_args_is_help=True)

_UNREADABLE = (
    "The tables in {tables} can't be read ({error}). If the folder was moved or is of another "
    "release, write its views again: carrel analytics follow --to {tables}"
)
"""Views name files by their place, and are those of a release."""


class Engine(StrEnum):
    """An engine for which `carrel analytics sql` has statements."""

    FLINK = "flink"
    SPARK = "spark"


@app.callback()
def analytics() -> None:
    """Write the events to tables, for questions about the whole library."""


@app.command()
def follow(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="DIR|iceberg:DIR|catalog:NAME",
            help="Folder of Parquet files, or of Iceberg tables; or a catalogue of Iceberg.",
        ),
    ],
    until_now: Annotated[
        bool, typer.Option("--until-now", help="End at the present ends of the topics.")
    ] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Write the events of all topics to tables, and continue until Ctrl-C.

    Each event is one row of its topic's table, however often it comes. A later
    run continues after the last. Open the tables with DuckDB: carrel.duckdb in
    the folder has a view of each topic, `events` of all, and ready tables.

    catalog:NAME is the catalogue that pyiceberg's settings name so, such as a
    REST catalogue at PYICEBERG_CATALOG__NAME__URI.
    """
    refuse_without_libraries()
    settings = settings_of(data)
    with explain_outages(settings):
        _follow(settings, to, until_now=until_now, as_json=as_json)


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("write a day as 2021-02-19") from None


@app.command()
def report(
    tables: Annotated[Path, typer.Argument(help="Folder of `carrel analytics follow`.")],
    first: Annotated[
        date | None,
        typer.Option("--from", parser=_day, metavar="DAY", help="First day. Default: of all."),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=_day, metavar="DAY", help="Last day. Default: of all."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write a page with pictures to this file instead."),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", help="Write the pictures to this folder instead, as PNG files."),
    ] = None,
) -> None:
    """Print what a folder of tables says about lending, closures, charges and reservations."""
    refuse_without_libraries()
    import duckdb

    from ops.analytics.numbers import numbers_of
    from ops.analytics.views import VIEWS

    if not (tables / VIEWS).is_file():
        refuse(f"{tables} has no tables. Write them: carrel analytics follow --to {tables}")
    try:
        numbers = numbers_of(tables, first, last)
    except duckdb.Error as error:
        refuse(_UNREADABLE.format(tables=tables, error=type(error).__name__))
    if numbers is None:
        refuse("There are no loans, charges or reservations in these days.")
    if html is None and png is None:
        for table in numbers.tables:
            print_table(table.heads, table.rows, title=f"\n{table.caption}")
        return
    from ops.analytics.page import page_of, pictures_of

    try:
        if html is not None:
            html.write_text(page_of(numbers), encoding="utf-8")
        if png is not None:
            png.mkdir(parents=True, exist_ok=True)
            for picture in pictures_of(numbers):
                (png / f"{picture.name}.png").write_bytes(picture.bytes("png"))
    except OSError as error:
        refuse(f"{error.filename} can't be written: {error.strerror}")
    written = " and ".join(str(path) for path in (html, png) if path is not None)
    typer.echo(f"Written to {written}: {numbers.first} to {numbers.last}.")


@app.command()
def pictures(
    tables: Annotated[Path, typer.Argument(help="Folder of `carrel analytics follow`.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder of the pictures.")],
) -> None:
    """Draw each ready table that has rows, as an SVG file.

    The table's file in ops/analytics/tables declares what is drawn.
    """
    refuse_without_libraries()
    import duckdb

    from ops.analytics.pictures import drawings
    from ops.analytics.views import VIEWS

    if not (tables / VIEWS).is_file():
        refuse(f"{tables} has no tables. Write them: carrel analytics follow --to {tables}")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for drawing in drawings(tables):
            (to / f"{drawing.table}.svg").write_bytes(drawing.svg)
            typer.echo(to / f"{drawing.table}.svg")
    except duckdb.Error as error:
        refuse(_UNREADABLE.format(tables=tables, error=type(error).__name__))
    except OSError as error:
        refuse(f"{error.filename} can't be written: {error.strerror}")


@app.command()
def check(
    tables: Annotated[Path, typer.Argument(help="Folder of `carrel analytics follow`.")],
    as_json: AsJson = False,
) -> None:
    """Check keys and freshness of the ready tables; exit 1 if one has doubled rows or is late.

    A table is late if no event that it reads was recorded for longer than its
    file in ops/analytics/tables declares.
    """
    refuse_without_libraries()
    from ops.analytics.checks import check_tables
    from ops.analytics.views import VIEWS

    if not (tables / VIEWS).is_file():
        refuse(f"{tables} has no tables. Write them: carrel analytics follow --to {tables}")
    found = list(check_tables(tables, wall_clock()))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print_table(
            ("table", "rows", "doubled", "newest event", ""),
            [
                (
                    one.table,
                    one.rows,
                    one.doubled,
                    f"{one.newest:%Y-%m-%d %H:%M}" if one.newest else "–",
                    "late" if one.late else "",
                )
                for one in found
            ],
        )
    raise typer.Exit(1 if any(one.doubled or one.late for one in found) else 0)


@app.command()
def sql(
    engine: Annotated[Engine, typer.Argument(help="Engine that is to run the statements.")],
) -> None:
    """Print the statements that make the ready tables in another engine.

    Spark finds the tables of topics in the present namespace, as `follow --to
    iceberg:DIR` or `catalog:NAME` writes them. Flink gets tables of topics that
    read CARREL_KAFKA, too. See docs/engines.md.
    """
    refuse_without_libraries()
    from ops.analytics.engines import flink_sql, spark_sql

    settings = Settings()
    match engine:
        case Engine.FLINK:
            names = Names(settings.topic_prefix)
            statements = flink_sql(settings.time_zone, settings.kafka, names)
        case Engine.SPARK:
            statements = spark_sql(settings.time_zone)
    for statement in statements:
        typer.echo(f"{statement};\n")


@app.command()
def connector(
    catalog: Annotated[
        list[str],
        typer.Option(
            "--catalog",
            metavar="NAME=VALUE",
            help="Property of the catalogue, as type=rest or uri=…; repeat for more.",
        ),
    ],
) -> None:
    """Print the settings of Iceberg's sink for Kafka Connect: a table for each topic.

    Post them to Kafka Connect as they are. See docs/engines.md for what these
    tables lack.
    """
    refuse_without_libraries()
    from ops.analytics.engines import connector as settings_of_connector

    properties = {}
    for written in catalog:
        name, equals, properties[name] = written.partition("=")
        if not (name and equals):
            raise typer.BadParameter("write a property as uri=https://iceberg.example.org")
    print_json(settings_of_connector(Names(Settings().topic_prefix), properties))


class _Rate(ProgressColumn):
    """The number of messages a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


def _opened(to: str, time_zone: str) -> AbstractContextManager[Destination]:
    """Open the tables for writing."""
    kind, _, place = to.partition(":")
    if kind in ("iceberg", "catalog") and not place:
        raise typer.BadParameter("write a place as iceberg:DIR or catalog:NAME")
    if kind == "iceberg":
        from ops.analytics.iceberg import Lake

        return Lake.in_folder(Path(place), time_zone)
    if kind == "catalog":
        from ops.analytics.iceberg import Lake

        return Lake.named(place, time_zone)
    from ops.analytics.folder import Folder

    return Folder.opened(Path(to), time_zone)


def _follow(settings: Settings, to: str, *, until_now: bool, as_json: bool) -> None:
    from ops.analytics.follow import Follower

    try:
        with _opened(to, settings.time_zone) as tables:
            bar = progress_bar("Reading events")
            bar.columns = (*bar.columns, _Rate())
            with bar:
                task = bar.add_task("", total=None)

                def advance(read: int, total: int) -> None:
                    bar.update(task, completed=read, total=total)

                follower = Follower(settings, tables, advance)
                try:
                    asyncio.run(follower.run(until_now=until_now))
                except KeyboardInterrupt:
                    errors.print("Stopped; a later run continues here.")
            rows = tables.rows()
    except InUseError:
        refuse(f"Another `carrel analytics follow` writes to {to}.")
    except OtherTimeZoneError as error:
        refuse(
            f"The days in {to} are those of {error}, not of CARREL_TIME_ZONE. Use another place."
        )
    except WriteError as error:
        refuse(f"{to} can't be written: {error}. Give another place.")
    done = follower.followed
    if as_json:
        print_json(
            {
                "added": sum(done.added.values()),
                "repeated": done.repeated,
                "missed": done.missed,
                "tables": [
                    {"table": table, "added": done.added[table], "rows": count}
                    for table, count in rows.items()
                ],
            }
        )
        return
    print_table(
        ("table", "added", "rows"),
        [(table, done.added[table], count) for table, count in rows.items()],
    )
    if unreadable := done.added["unreadable"]:
        errors.print(f"{unreadable} messages are no events of their topic: see table unreadable.")
    if done.missed:
        errors.print(
            f"{done.missed} events were deleted from their topics before they were read. Run this "
            "more often, or raise CARREL_RETENTION_DAYS."
        )
