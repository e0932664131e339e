"""`carrel simulate`: an invented city, as tables, as messages, or through the API."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ops.analytics import refuse_without_libraries
from ops.console import (
    AsJson,
    errors,
    explain_outages,
    print_json,
    print_table,
    progress_bar,
    refuse,
)
from ops.simulation.acts import Simulation
from ops.simulation.city import FIRST_DAY, Plan
from ops.simulation.messages import Advance, Tally
from ops.target import Data, settings_to_write
from services.settings import Settings
from shared.contracts.event import dollars

MOST_BY_API = 2_000
"""Patrons up to whom the API is used: each takes a second, most of it for the PIN."""
SHOWN_DIFFERENCES = 10

app = typer.Typer()


def _prefix(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9.-]{1,40}", value):
        raise typer.BadParameter("up to 40 letters, digits, dots and dashes, such as city.")
    return value


@app.callback(invoke_without_command=True, subcommand_metavar="")
def simulate(  # noqa: PLR0917 - typer's commands are called by their options' names
    patrons: Annotated[
        int, typer.Option("--patrons", min=10, max=1_000_000, help="Number of patrons.")
    ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=3_660, help="Number of days, from 2 January 2024.")
    ],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same city.")] = 1,
    tables: Annotated[
        Path | None, typer.Option("--tables", help="Write tables to a new folder.")
    ] = None,
    topics: Annotated[
        str,
        typer.Option(
            "--topics",
            metavar="PREFIX",
            callback=_prefix,
            help="Publish on topics of this prefix, such as city. They are created.",
        ),
    ] = "",
    api: Annotated[
        bool, typer.Option("--api", help="Start a system, and make each call of its API.")
    ] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Invent a city that uses the library, and write its events.

    Patrons borrow, renew, return, reserve and pay, on days with closures. The
    library's own rules decide about due dates, fines and queues. Say where the
    events go: --tables DIR, --topics PREFIX or --api.
    """
    if sum((tables is not None, bool(topics), api)) != 1:
        raise typer.BadParameter("give one of --tables, --topics and --api")
    zone = ZoneInfo(str(Settings.model_fields["time_zone"].default))
    simulation = Simulation(Plan(patrons, days, seed, zone))
    if tables is not None:
        tally = _to_tables(simulation, tables)
    elif topics:
        tally = _to_topics(simulation, topics, data)
    else:
        tally = _through_api(simulation)
    if as_json:
        print_json(
            {
                "patrons": patrons,
                "days": days,
                "seed": seed,
                "events": dict(sorted(tally.events.items())),
                "cents": dict(tally.cents),
                "open_loans": len(simulation.books.loans),
                "open_holds": len(simulation.books.holds),
            }
        )
        return
    print_table(("topic", "events"), sorted(tally.events.items()))
    amounts = ", ".join(f"{dollars(cents)} {name}" for name, cents in tally.cents.items())
    typer.echo(
        f"{len(simulation.books.loans)} loans and {len(simulation.books.holds)} reservations are "
        f"open. Charges: {amounts or 'none'}."
    )


def _to_tables(simulation: Simulation, path: Path) -> Tally:
    refuse_without_libraries()
    from ops.analytics.destination import WriteError
    from ops.simulation.tables import write_tables

    if path.exists():
        refuse(f"{path} is there already: give a new folder.")
    try:
        with _removed_if_incomplete(path), _days(simulation) as advance:
            return write_tables(simulation, path, advance)
    except WriteError as error:
        refuse(f"{path} can't be written: {error}. Give another place.")


@contextmanager
def _removed_if_incomplete(path: Path) -> Iterator[None]:
    """Delete a new folder if it is not completed: nobody could tell what is missing."""
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _to_topics(simulation: Simulation, prefix: str, data: Path | None) -> Tally:
    from ops.simulation.messages import TopicsInUseError, publish

    settings = settings_to_write(data).model_copy(update={"topic_prefix": prefix})
    with explain_outages(settings):
        try:
            with _days(simulation) as advance:
                return asyncio.run(publish(settings, simulation, advance))
        except TopicsInUseError:
            refuse(f"Topics {prefix}* have messages already: choose another prefix.")


def _through_api(simulation: Simulation) -> Tally:
    from ops.infrastructure.child import StartFailed
    from ops.infrastructure.processes import system
    from ops.scenario.definition import ScenarioStopped
    from ops.simulation.play import play

    if simulation.plan.patrons > MOST_BY_API:
        refuse(f"The API takes up to {MOST_BY_API} patrons. Use --tables or --topics for more.")
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            system(Path(folder), simulation=True, usual_ports=False) as running,
            _days(simulation) as advance,
        ):
            played = asyncio.run(play(running, simulation, advance))
    except StartFailed as failure:
        refuse(str(failure))
    except (ScenarioStopped, TimeoutError) as stopped:
        refuse(f"Stopped: {stopped}")
    errors.print(f"{played.calls} calls, {len(played.differences)} with another answer.")
    if played.differences:
        refuse("\n".join(played.differences[:SHOWN_DIFFERENCES]))
    return played.tally


@contextmanager
def _days(simulation: Simulation) -> Iterator[Advance]:
    """Show the days that have passed."""
    with progress_bar("Simulating days") as bar:
        task = bar.add_task("", total=simulation.plan.days)
        yield lambda day: bar.update(task, completed=max(0, (day - FIRST_DAY).days))
