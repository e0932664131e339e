"""`carrel synthetic-patron`: make the patron as whom the gateway tries each minute to be served."""

import asyncio
from typing import Annotated

import typer

from ops.console import explain_outages, refuse
from ops.direct import add_synthetic_patron, require_card_key
from ops.target import Data, settings_to_write
from services.accounts.preferences.refusals import NoSuchBranch
from services.accounts.settings import Settings

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def synthetic_patron_command(
    branch: Annotated[str, typer.Argument(help="Code of a registered library, as its home.")],
    data: Data = None,
) -> None:
    """Register a patron of the category `synthetic`, and print its setting for the gateway.

    Whoever reads the setting can use the account: keep it like the other secrets. Remove the patron
    as any other, by an erasure.
    """
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    try:
        with explain_outages(settings):
            made = asyncio.run(add_synthetic_patron(settings, branch))
    except NoSuchBranch:
        refuse("No library has this code. Nothing was changed.")
    typer.echo(f"CARREL_SYNTHETIC_PATRON={made}")
