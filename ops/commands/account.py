"""`carrel account`: an account as it was on a day, from tables of events.

It reads the tables of `carrel analytics follow`, since services keep no earlier states. The look is
recorded in the audit trail of the system whose database is named.
"""

import asyncio
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.analytics import refuse_without_libraries
from ops.console import AsJson, errors, explain_outages, out, print_json, print_table, refuse
from ops.direct import record_look
from ops.target import Data, settings_if_named
from shared.clock import parse_instant
from shared.contracts.event import dollars

app = typer.Typer()


def _moment(value: str) -> date | datetime:
    try:
        return date.fromisoformat(value) if len(value) == 10 else parse_instant(value)
    except ValueError:
        raise typer.BadParameter(
            "write a day as 2021-02-19, or an instant as 2021-02-19T10:00:00+08:00"
        ) from None


@app.callback(invoke_without_command=True, subcommand_metavar="")
def account(
    patron: Annotated[str, typer.Option("--patron", metavar="ID", help="Id of the patron.")],
    as_of: Annotated[
        date,
        typer.Option(
            "--as-of",
            parser=_moment,
            metavar="TIME",
            help="A day, whose end counts, or an instant.",
        ),
    ],
    tables: Annotated[Path, typer.Option("--tables", help="Folder of `carrel analytics follow`.")],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Show what a patron had on loan, reserved and owed at a time, from the events until then.

    Fines that accrue are charges only from the return or renewal on, and are not
    shown before. Nothing is shown of a patron who was erased. The look is recorded
    in the audit trail of the system that --data or CARREL_MONGO_URL names; without
    one the command says that it is not.
    """
    refuse_without_libraries()
    import duckdb

    from ops.analytics.accounts import ErasedError, NoSuchPatronError, account_at, end_of
    from ops.analytics.views import VIEWS

    if not (tables / VIEWS).is_file():
        refuse(f"{tables} has no tables. Write them: carrel analytics follow --to {tables}")
    at = as_of if isinstance(as_of, datetime) else end_of(as_of, tables)
    try:
        found = account_at(tables, patron, at)
    except ErasedError:
        refuse("This patron was erased.")
    except NoSuchPatronError:
        refuse("There was no such patron then. Give the patron's id, not the card number.")
    except duckdb.Error as error:
        refuse(
            f"The tables in {tables} can't be read ({type(error).__name__}). Write their views "
            f"again: carrel analytics follow --to {tables}"
        )
    _record(data, patron)
    if as_json:
        print_json({"patron_id": patron, "as_of": at, **asdict(found)})
        return
    print_table(
        ("on loan", "item", "library", "since", "due"),
        [
            (one["title"], one["barcode"], one["branch"], one["borrowed_on"], one["due_on"])
            for one in found.loans
        ],
    )
    out.print()
    print_table(
        ("reserved", "state", "library"),
        [(one["title"], one["state"], one["pickup_branch"]) for one in found.holds],
    )
    out.print()
    print_table(
        ("charge", "amount", "to pay", "refund due"),
        [
            (
                one["kind"],
                dollars(one["amount_cents"]),
                dollars(one["outstanding_cents"]),
                dollars(one["refund_due_cents"]),
            )
            for one in found.charges
        ],
    )


def _record(data: Path | None, patron: str) -> None:
    """Record the look before anything is shown, unless no system is named."""
    settings = settings_if_named(data)
    if settings is None:
        errors.print("No database is named, so no audit trail has this look.")
        return
    with explain_outages(settings):
        asyncio.run(record_look(settings, "account --as-of", patron))
